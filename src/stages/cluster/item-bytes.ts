/**
 * What is kept of a live item beside its itemId, as bytes:
 *
 *   int32       number of the cluster id in its last assignment, -1: noise
 *   1 byte      flags
 *   time        append time of the origin
 *   time        `occurredAt`, as its distance from that
 *   number      of its kind: what it has in common with many others
 *   number      sequence of the origin
 *   text        inputId, unless it is the itemId or that without its source
 *   text        preview, if it has one
 *
 * A number is 7 bits a byte, the lowest first. Where one of them is out of the ordinary (negative, no integer, above 2^53), all are written in full:
 * times as float64, the sequence as int64. A text is its length in bytes, a number, then UTF-8.
 */
import type { IdSpan } from '../../clustering/structure/id-arena.ts';
import type { Item } from './item.ts';

export type ItemKind = Pick<Item, 'routeStep' | 'model' | 'modelVersion'> & Omit<Item['origin'], 'sequence' | 'appendTime'>;

const flags = { inputIdIsItemId: 1, hasPreview: 2, isEarlier: 4, isWide: 8, inputIdIsPart: 16 } as const;
const flagsAt = 4;
const numbersAt = flagsAt + 1;
export const itemBytesMin = numbersAt;
const wideBytes = 8;
const numberBytesMax = 10;
const fixedBytesMax = numbersAt + 6 * numberBytesMax;

let scratch = Buffer.alloc(1024);

function isOrdinary(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0);
}

function writeNumber(bytes: Buffer, value: number, start: number): number {
  let offset = start;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes[offset++] = (rest % 0x80) | 0x80;
  bytes[offset++] = rest;
  return offset;
}

function writeText(bytes: Buffer, text: string, start: number): number {
  const length = Buffer.byteLength(text);
  const offset = writeNumber(bytes, length, start);
  bytes.write(text, offset);
  return offset + length;
}

/** What `itemIdOf` put behind the source. */
function withoutSource(itemId: string): string {
  return itemId.slice(itemId.indexOf('/') + 1);
}

/** Into a buffer that the next call uses again. */
export function encodeItem({ itemId, inputId, origin, occurredAt, preview }: Item, kind: number, cluster: number): IdSpan {
  const bytesMax = fixedBytesMax + 3 * (inputId.length + (preview?.length ?? 0));
  if (scratch.length < bytesMax) scratch = Buffer.alloc(2 * bytesMax);
  const { appendTime, sequence } = origin;
  const isWide = !isOrdinary(appendTime) || !isOrdinary(occurredAt) || !isOrdinary(Number(sequence));
  const isEarlier = !isWide && occurredAt < appendTime;
  const inputIdFlag = inputId === itemId ? flags.inputIdIsItemId : inputId === withoutSource(itemId) ? flags.inputIdIsPart : 0;
  scratch.writeInt32LE(cluster);
  scratch[flagsAt] = inputIdFlag | (preview === null ? 0 : flags.hasPreview) | (isEarlier ? flags.isEarlier : 0) | (isWide ? flags.isWide : 0);
  let offset = numbersAt;
  if (isWide) {
    offset = scratch.writeDoubleLE(appendTime, offset);
    offset = scratch.writeDoubleLE(occurredAt, offset);
    offset = writeNumber(scratch, kind, offset);
    offset = scratch.writeBigInt64LE(sequence, offset);
  } else for (const value of [appendTime, Math.abs(occurredAt - appendTime), kind, Number(sequence)]) offset = writeNumber(scratch, value, offset);
  if (inputIdFlag === 0) offset = writeText(scratch, inputId, offset);
  if (preview !== null) offset = writeText(scratch, preview, offset);
  return { bytes: scratch, start: 0, length: offset };
}

/** Reads one after the other what was written. Beyond the end of the bytes there are zeros. */
function createReader({ bytes, start }: IdSpan) {
  let offset = start + numbersAt;
  const isWide = ((bytes[start + flagsAt] ?? 0) & flags.isWide) !== 0;
  const number = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = bytes[offset++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  const wide = <Value>(read: (at: number) => Value): Value => {
    offset += wideBytes;
    return read(offset - wideBytes);
  };
  return {
    number,
    time: () => (isWide ? wide((at) => bytes.readDoubleLE(at)) : number()),
    sequence: () => (isWide ? wide((at) => bytes.readBigInt64LE(at)) : BigInt(number())),
    text: () => {
      const length = number();
      offset += length;
      return bytes.toString('utf8', offset - length, offset);
    },
  };
}

function readOccurredAt(reader: ReturnType<typeof createReader>, flagsSet: number, appendTime: number): number {
  const value = reader.time();
  if ((flagsSet & flags.isWide) !== 0) return value;
  return (flagsSet & flags.isEarlier) !== 0 ? appendTime - value : appendTime + value;
}

function flagsIn({ bytes, start }: IdSpan): number {
  return bytes[start + flagsAt] ?? 0;
}

export function timesIn(span: IdSpan): { readonly appendTime: number; readonly occurredAt: number } {
  const reader = createReader(span);
  const appendTime = reader.time();
  return { appendTime, occurredAt: readOccurredAt(reader, flagsIn(span), appendTime) };
}

/** Without a reader: a restore asks it of every item. */
export function kindIn(span: IdSpan): number {
  const { bytes, start } = span;
  const isWide = (flagsIn(span) & flags.isWide) !== 0;
  let offset = start + numbersAt + (isWide ? 2 * wideBytes : 0);
  for (let times = isWide ? 0 : 2; times > 0; offset++) if ((bytes[offset] ?? 0) < 0x80) times--;
  let kind = 0;
  for (let scale = 1; ; scale *= 0x80) {
    const byte = bytes[offset++] ?? 0;
    kind += (byte & 0x7f) * scale;
    if (byte < 0x80) return kind;
  }
}

export function clusterIn({ bytes, start }: IdSpan): number {
  return bytes.readInt32LE(start);
}

export function writeCluster({ bytes, start }: IdSpan, cluster: number): void {
  bytes.writeInt32LE(cluster, start);
}

/** @param numbered what the numbers in it stand for. */
export function decodeItem(
  span: IdSpan,
  itemId: string,
  numbered: { readonly kind: (number: number) => ItemKind; readonly cluster: (number: number) => string | null },
): Item {
  const flagsSet = flagsIn(span);
  const reader = createReader(span);
  const appendTime = reader.time();
  const occurredAt = readOccurredAt(reader, flagsSet, appendTime);
  const { topic, incarnation, partition, routeStep, model, modelVersion } = numbered.kind(reader.number());
  const sequence = reader.sequence();
  const inputId = (flagsSet & flags.inputIdIsItemId) !== 0 ? itemId : (flagsSet & flags.inputIdIsPart) !== 0 ? withoutSource(itemId) : reader.text();
  const preview = (flagsSet & flags.hasPreview) !== 0 ? reader.text() : null;
  const toldClusterId = numbered.cluster(clusterIn(span));
  return { itemId, inputId, origin: { topic, incarnation, partition, sequence, appendTime }, routeStep, model, modelVersion, occurredAt, preview, toldClusterId };
}
