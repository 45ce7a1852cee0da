/** What the demo says at its end. */
import { clipped, tableText } from '../output.ts';

export type DemoSummary = {
  readonly eventsIn: number;
  readonly labelsOut: number;
  readonly clusterEvents: number;
  readonly clusters: readonly { readonly id: string; readonly size: number; readonly samples: readonly { readonly itemId: string; readonly text: string }[] }[];
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
      ['CLUSTER', 'SIZE', 'SAMPLES'],
      summary.clusters.map(({ id, size, samples }) => [id, size, samples.slice(0, 2).map(({ text }) => clipped(text, 60)).join(' | ')]),
    ),
    '',
    `events in        ${summary.eventsIn}`,
    `labels out       ${summary.labelsOut}`,
    `clusters         ${summary.clusters.length}, and ${summary.noise} texts of no cluster`,
    `cluster events   ${summary.clusterEvents}`,
    `dead letters     ${deadLetterCount}${deadLetters.length === 0 ? '' : ` (${deadLetters.map(([code, count]) => `${code}: ${count}`).join(', ')})`}`,
    `throughput       ${Math.round(summary.eventsPerSecond)} events per second, in ${summary.seconds.toFixed(1)} s`,
    `longest stall    ${summary.longestStallMs.toFixed(1)} ms of the main loop`,
  ];
}
