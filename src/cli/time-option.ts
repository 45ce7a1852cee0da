/** Places and times as operators name them. */
import { cliError } from '../core/errors/cli.ts';
import type { Landmark } from '../pipeline/transport.ts';

const timePattern = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/;

/** Milliseconds since the epoch. Throws LS_CLI_USAGE. */
export function parsedTime(option: string, text: string): number {
  const timeMs = timePattern.test(text) ? Date.parse(text) : NaN;
  if (!Number.isNaN(timeMs)) return timeMs;
  throw cliError('LS_CLI_USAGE', `${option} ${text} is no time; write it as 2026-05-17T08:30:00Z, with Z or +02:00 behind the time, or as a date alone (midnight UTC)`);
}

const sequencePattern = /^\d{1,18}$/;

/** Throws LS_CLI_USAGE. */
export function parsedLandmark(option: string, text: string): Landmark {
  return sequencePattern.test(text) ? { sequence: BigInt(text) } : { appendTimeMs: parsedTime(option, text) };
}

export function landmarkText(landmark: Landmark): string {
  return 'sequence' in landmark ? `sequence ${landmark.sequence}` : new Date(landmark.appendTimeMs).toISOString();
}
