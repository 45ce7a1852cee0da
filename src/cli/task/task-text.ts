/** The answer of a task, for a person. */
import type { TaskResult } from '../../tasks/task.ts';
import { jsonText, tableText } from '../output.ts';

/** Of the labels and classes, those that are shown; `--json` has all. */
const rowsShown = 10;
const numbersShown = 8;

export function answerText(answer: TaskResult): string {
  if (answer.kind === 'features') return vectorText(answer.vector);
  const { result } = answer;
  if ('labelstream.v1.Caption' in result) return result['labelstream.v1.Caption'].text;
  if ('labelstream.v1.Transcript' in result) {
    const { text, segments } = result['labelstream.v1.Transcript'];
    if (segments.length === 0) return text;
    return segments.map(({ startSeconds, endSeconds, text: said }) => `${startSeconds.toFixed(2)} - ${endSeconds.toFixed(2)} s  ${said.trim()}`).join('\n');
  }
  if ('labelstream.v1.Classification' in result) return scoresText('LABEL', result['labelstream.v1.Classification'].labels);
  if ('labelstream.v1.ZeroShot' in result) {
    const { classes, probabilities } = result['labelstream.v1.ZeroShot'];
    // In the order of the classes, as they were asked for.
    return tableText(['CLASS', 'PROBABILITY'], classes.map((name, index) => [name, (probabilities[index] ?? Number.NaN).toFixed(4)]));
  }
  if ('labelstream.v1.Detection' in result) {
    const { boxes, labels, scores } = result['labelstream.v1.Detection'];
    if (boxes.length === 0) return 'nothing found';
    return tableText(['LABEL', 'SCORE', 'XMIN', 'YMIN', 'XMAX', 'YMAX'], boxes.map((box, index) => [labels[index] ?? '', (scores[index] ?? Number.NaN).toFixed(4), ...box]));
  }
  if ('labelstream.v1.Prediction' in result) {
    const { label, value, probabilities } = result['labelstream.v1.Prediction'];
    const probability = probabilities.find((candidate) => candidate.label === label);
    return `${label ?? String(value)}${probability === undefined ? '' : ` (${probability.score.toFixed(4)})`}`;
  }
  return jsonText(result);
}

function scoresText(title: string, scores: readonly { readonly label: string; readonly score: number }[]): string {
  const table = tableText([title, 'SCORE'], scores.slice(0, rowsShown).map(({ label, score }) => [label, score.toFixed(4)]));
  return scores.length > rowsShown ? `${table}\n(and ${scores.length - rowsShown} more)` : table;
}

function vectorText(vector: Float32Array): string {
  const first = Array.from(vector.subarray(0, numbersShown), (value) => value.toPrecision(4)).join(', ');
  return `${vector.length} numbers: ${first}${vector.length > numbersShown ? ', ...' : ''}`;
}
