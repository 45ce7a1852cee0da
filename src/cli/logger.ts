/** The log messages of a command, on standard error. */
import { pino, destination, type Logger } from 'pino';
import { printableJson, printableQuoted } from './printable.ts';

export type ErrorStream = { readonly isTTY: boolean; readonly write: (text: string) => unknown };

/** JSON, and pretty for a person. */
export async function createLogger(level: string, { stderr }: { readonly stderr: ErrorStream }): Promise<Logger> {
  if (stderr.isTTY) {
    const { prettyFactory } = await import('pino-pretty');
    const pretty = prettyFactory({ ignore: 'pid,hostname' });
    return pino({ level }, { write: (line) => void stderr.write(pretty(printableQuoted(line))) });
  }
  const sink = destination({ fd: 2, sync: true });
  return pino({ level, base: null }, { write: (line) => void sink.write(printableJson(line)) });
}
