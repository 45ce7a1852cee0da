// The file of a projection: one form, and nothing else is taken for it.
import { expect, test } from 'vitest';
import { artefactName, decodeArtefact, encodeArtefact, openArtefact } from '../../../src/clustering/projection/artefact.ts';
import type { ProjectionArtefact } from '../../../src/clustering/projection/projection.ts';
import { whiten } from '../../../src/clustering/projection/whiten.ts';
import { atOnce } from '../../../src/clustering/sliced-work.ts';
import { seededRandom } from '../../../src/core/seeded-random.ts';

const random = seededRandom(4);
const sample = Array.from({ length: 50 }, () => Float32Array.from({ length: 6 }, () => random() - 0.3));
const artefact = atOnce(whiten.fit(sample, 3));
const bytes = encodeArtefact(artefact);
const invalid = expect.objectContaining({ code: 'LS_PROJECTION_ARTEFACT_INVALID' }) as object;
const decode = (changed: Uint8Array): ProjectionArtefact => decodeArtefact(changed, artefactName(changed));

test('what was written is read, to the last bit, and projects the same', () => {
  expect(decode(bytes)).toEqual(artefact);
  expect(encodeArtefact(decode(bytes))).toEqual(bytes);
  expect(artefactName(bytes)).toMatch(/^[0-9a-f]{64}$/);
  const [fitted, opened] = [whiten.open(artefact), openArtefact(bytes, artefactName(bytes))];
  expect(opened).toMatchObject({ kind: 'whiten', inputDimensions: 6, outputDimensions: 3 });
  for (const vector of sample) expect(opened.apply(vector)).toEqual(fitted.apply(vector));
});

test('the form is the one written down', () => {
  const small = encodeArtefact({ kind: 'k', inputDimensions: 1, outputDimensions: 1, sampleSize: 2, arrays: [{ name: 'a', values: Float64Array.of(1.5, -0) }] });
  const header = '{"format":1,"kind":"k","inputDimensions":1,"outputDimensions":1,"sampleSize":2,"arrays":[{"name":"a","length":2}]}';
  const padded = header.padEnd(Math.ceil((12 + header.length) / 8) * 8 - 12);
  expect(small.toString('hex')).toBe(
    [Buffer.from('LSPROJ\r\n'), Buffer.of(padded.length, 0, 0, 0), Buffer.from(padded), Buffer.from('000000000000f83f0000000000000080', 'hex')].map((part) => part.toString('hex')).join(''),
  );
  expect((small.length - 16) % 8).toBe(0);
});

test('another hash than the name is refused before anything is read', () => {
  expect(() => decodeArtefact(bytes, 'f'.repeat(64))).toThrow(`has the SHA-256 ${artefactName(bytes)}`);
  expect(() => decodeArtefact(new Uint8Array(0), 'f'.repeat(64))).toThrow(invalid);
});

test('every file cut short or lengthened is refused', () => {
  for (let length = 0; length < bytes.length; length++) expect(() => decode(bytes.subarray(0, length)), String(length)).toThrow(invalid);
  expect(() => decode(Buffer.concat([bytes, Buffer.of(0)]))).toThrow(invalid);
});

test('a header in another form, or of another version, is refused', () => {
  const end = bytes.indexOf(0x7d, bytes.indexOf(']')) + 1;
  const withHeader = (change: (text: string) => string): Buffer => {
    const text = change(bytes.subarray(12, end).toString());
    const header = Buffer.from(text.padEnd(Math.ceil((12 + text.length) / 8) * 8 - 12));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(header.length);
    return Buffer.concat([bytes.subarray(0, 8), length, header, bytes.subarray(12 + bytes.readUInt32LE(8))]);
  };
  expect(withHeader((text) => text)).toEqual(bytes);
  expect(() => decode(withHeader((text) => text.replace('"format":1', '"format":2')))).toThrow('has the format 2, and this version reads 1');
  expect(() => decode(withHeader((text) => text.replace('{', '{ ')))).toThrow('is not in the one form');
  expect(() => decode(withHeader((text) => text.replace('"kind":"whiten",', '').replace('}]}', '}],"kind":"whiten"}')))).toThrow('is not in the one form');
  expect(() => decode(withHeader((text) => text.replace('"kind"', '"sort"')))).toThrow('has a header that is none');
  expect(() => decode(withHeader((text) => text.replace('{', '[')))).toThrow('has a header that is no JSON');
  expect(() => decode(withHeader((text) => text.replace('"inputDimensions":6', '"inputDimensions":-6')))).toThrow(invalid);
  const other = withHeader((text) => text.replace('"kind":"whiten"', '"kind":"tilted"'));
  expect(() => openArtefact(other, artefactName(other))).toThrow(expect.objectContaining({ code: 'LS_PROJECTION_KIND_UNKNOWN' }) as object);
  const turned = withHeader((text) => text.replace('"inputDimensions":6,"outputDimensions":3', '"inputDimensions":3,"outputDimensions":6'));
  expect(() => openArtefact(turned, artefactName(turned))).toThrow('its arrays are not those of a projection of kind whiten');
});

test('values that are not finite are refused', () => {
  for (const value of [Number.NaN, Infinity]) {
    const damaged = Buffer.from(bytes);
    damaged.writeDoubleLE(value, bytes.length - 8);
    expect(() => decode(damaged)).toThrow('holds a value in "transform" that is not finite');
  }
});

test('a single damaged byte is another file', () => {
  const name = artefactName(bytes);
  for (let at = 0; at < bytes.length; at += 7) {
    const damaged = Buffer.from(bytes);
    damaged[at] = damaged[at]! ^ 1;
    expect(() => openArtefact(damaged, name)).toThrow(invalid);
  }
});
