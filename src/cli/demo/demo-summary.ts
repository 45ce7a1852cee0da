/** What the demo says at its end. */
import { clipped, tableText } from '../output.ts';

export type DemoCluster = {
  readonly collection: string;
  readonly id: string;
  readonly size: number;
  /** The text is the start of a text, or the name of an image. */
  readonly samples: readonly { readonly itemId: string; readonly text: string }[];
};

export type DemoSummary = {
  readonly eventsIn: number;
  readonly labelsOut: number;
  /** How often each label was the first choice, by route and step. */
  readonly labels: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly clusterEvents: number;
  readonly clusters: readonly DemoCluster[];
  /** Items of no cluster. */
  readonly noise: number;
  /** By error code. */
  readonly deadLetters: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly eventsPerSecond: number;
  /** CPU time of the main thread within one turn of its loop; an upper bound. */
  readonly longestStallMs: number;
};

export function summaryLines(summary: DemoSummary): readonly string[] {
  const deadLetters = Object.entries(summary.deadLetters);
  const deadLetterCount = deadLetters.reduce((sum, [, count]) => sum + count, 0);
  return [
    '',
    tableText(
      ['COLLECTION', 'CLUSTER', 'SIZE', 'SAMPLES'],
      summary.clusters.map(({ collection, id, size, samples }) => [collection, id, size, samples.slice(0, 2).map(({ text }) => clipped(text, 60)).join(' | ')]),
    ),
    '',
    tableText(['STEP', 'MOST FREQUENT LABELS'], Object.entries(summary.labels).map(([step, counts]) => [step, mostFrequent(counts)])),
    '',
    `events in        ${summary.eventsIn}`,
    `labels out       ${summary.labelsOut}`,
    `clusters         ${summary.clusters.length}, and ${summary.noise} items of no cluster`,
    `cluster events   ${summary.clusterEvents}`,
    `dead letters     ${deadLetterCount}${deadLetters.length === 0 ? '' : ` (${deadLetters.map(([code, count]) => `${code}: ${count}`).join(', ')})`}`,
    `throughput       ${Math.round(summary.eventsPerSecond)} events per second, in ${summary.seconds.toFixed(1)} s`,
    `longest stall    ${summary.longestStallMs.toFixed(1)} ms of the main loop`,
  ];
}

const labelsShown = 6;

function mostFrequent(counts: Readonly<Record<string, number>>): string {
  const sorted = Object.entries(counts).sort(([, left], [, right]) => right - left);
  return sorted.slice(0, labelsShown).map(([label, count]) => `${label} ${count}`).join(', ');
}
