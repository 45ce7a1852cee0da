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
  const write = inTurns((text) => void sink.write(printableJson(text)));
  return pino({ level, base: null }, { write });
}

/** What is said within a turn of the main loop is written at its end, at once: under load that is a message for every request. */
function inTurns(write: (text: string) => void): (text: string) => void {
  let waiting = '';
  const flush = (): void => {
    const text = waiting;
    waiting = '';
    if (text !== '') write(text);
  };
  process.on('exit', flush);
  return (text) => {
    if (waiting === '') setImmediate(flush);
    waiting += text;
  };
}
