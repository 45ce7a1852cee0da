/** The results of tasks as both generations of the feature extraction API write them. */
import type { TaskResult } from '../../tasks/task.ts';

/** Of the first: a text, a list of numbers, or an object. */
export function plainResult(answer: TaskResult): unknown {
  if (answer.kind === 'features') return Array.from(answer.vector);
  const { result } = answer;
  if ('labelstream.v1.Caption' in result) return result['labelstream.v1.Caption'].text;
  if ('labelstream.v1.Transcript' in result) return result['labelstream.v1.Transcript'].text;
  if ('labelstream.v1.ZeroShot' in result) return result['labelstream.v1.ZeroShot'].probabilities;
  return Object.values(result)[0];
}

/** Of the second: an object each. Boxes are whole pixels there. */
export function namedResult(answer: TaskResult): Readonly<Record<string, unknown>> {
  if (answer.kind === 'features') return { embedding: Array.from(answer.vector) };
  const { result } = answer;
  if ('labelstream.v1.Caption' in result) return { caption: result['labelstream.v1.Caption'].text };
  if ('labelstream.v1.Transcript' in result) return { transcript: result['labelstream.v1.Transcript'].text };
  if ('labelstream.v1.ZeroShot' in result) return { probabilities: result['labelstream.v1.ZeroShot'].probabilities };
  if ('labelstream.v1.Detection' in result) {
    const { boxes, labels, scores } = result['labelstream.v1.Detection'];
    return { labels, boxes: boxes.map((box) => box.map(Math.round)), scores };
  }
  return Object.values(result)[0] as Readonly<Record<string, unknown>>;
}
