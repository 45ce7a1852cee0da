/** A bar for a person who watches. */
import { counted } from '../core/counted.ts';
import type { Output } from './output.ts';

export type Progress = {
  /** @param said behind the bar; without it, how many of how many records. */
  readonly update: (done: number, said?: string) => void;
  readonly stop: () => void;
};

/** Nothing where no person watches. */
export async function progressOf(output: Output, doing: string, total: number): Promise<Progress> {
  if (!output.terminal) return { update: () => undefined, stop: () => undefined };
  const { SingleBar } = await import('cli-progress');
  const bar = new SingleBar({ format: `${doing} {bar} {percentage}% | {said}`, stream: process.stderr });
  const saidOf = (done: number): string => `${done} of ${counted(total, 'record')}`;
  bar.start(total, 0, { said: '' });
  return { update: (done, said = saidOf(done)) => bar.update(done, { said }), stop: () => bar.stop() };
}
