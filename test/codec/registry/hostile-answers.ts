// Seeded answers that no registry gives: of the wrong shape, size, type or length, at every place where the client reads. As bytes, because half of
// them are no HTTP that a server would send.
import type { SeededRandom } from '../seeded-random.ts';

export type HostileAnswer = {
  readonly bytes: Buffer;
  /** What becomes of the connection then. */
  readonly then: 'end' | 'reset' | 'nothing';
};

const nested = (random: SeededRandom): string => {
  const depth = 1 + random.below(30_000);
  const [open, close] = random.pick([['[', ']'], ['{"a":', '}'], ['{"type":', '}'], ['{"type":"array","items":', '}']] as const);
  return open.repeat(depth) + random.pick(['', '1', '"int"', 'null']) + close.repeat(random.pick([depth, depth, depth - 1, 0]));
};

const oddTexts = [
  '', ' ', '"', '\u0000', '\ud800', 'a\udfffb', '..', '.', '/', '%', '__proto__', 'constructor', 'labelstream.v1.TextEvent', 'x.Loop', 'int', 'AVRO', 'JSON', '[]', '{}', 'null',
  '"x.Loop"', '<html>', 'https://example.com/', '\r\nx: y', '\u202e', 'é'.repeat(1_000), 'a'.repeat(60_000),
] as const;
const oddNumbers = ['0', '-1', '1', '0.5', '1e308', '-0', '2147483648', '99999999999999999999', '40403', '40401', '404', '42201'] as const;

/** JSON texts. */
function junk(random: SeededRandom): string {
  switch (random.below(9)) {
    case 0:
      return random.pick(oddNumbers);
    case 1:
      return random.pick(['null', 'true', 'false', '[]', '{}', '[[]]', '{"toString":null,"valueOf":null}', '{"toString":1}', '{"__proto__":5}', '{"length":1e9}']);
    case 2:
      return nested(random);
    case 3:
      return `[${Array.from({ length: random.below(6) }, () => junk(random)).join(',')}]`;
    default:
      return JSON.stringify(random.pick(oddTexts));
  }
}

const likely = (random: SeededRandom, text: () => string): string => (random.below(4) === 0 ? junk(random) : text());

/** A schema's JSON with junk in the place of one of its parts. */
function damaged(random: SeededRandom, schema: string): string {
  const parts = [...schema.matchAll(/"[^"]*"|\[|\{|true|null|\d+/g)];
  const part = random.pick(parts);
  return schema.slice(0, part.index) + junk(random) + schema.slice(part.index + part[0].length);
}

function schemaText(random: SeededRandom, valid: string): string {
  switch (random.below(6)) {
    case 0:
    case 5:
      return valid;
    case 1:
      return nested(random);
    case 2:
      return '{"type":"record","name":"labelstream.v1.TextEvent","fields":[{"name":"id","type":"x.Loop"},{"name":"other","type":"x.Other"}]}';
    case 3:
      return random.pick(['"x.Loop"', '"x.Other"', '["x.Loop","x.Other"]', '{"type":"record","name":"x.Loop","fields":[{"name":"l","type":"x.Loop"}]}', '{"type":"x.Other"}', 'null', '5']);
    default:
      return damaged(random, valid);
  }
}

function reference(random: SeededRandom): string {
  const name = likely(random, () => random.pick(['"x.Loop"', '"x.Other"']));
  const subject = likely(random, () => random.pick(['"loop"', '"other"', '"a/b"', '"\\ud800"', '".."']));
  return `{"name":${name},"subject":${subject},"version":${likely(random, () => random.pick(oddNumbers))}}`;
}

function body(random: SeededRandom, valid: string): string {
  switch (random.below(10)) {
    case 0:
      return junk(random);
    case 1:
      return random.pick(['', '<html><h1>Sign in</h1>', '\ufeff{"schema":"\\"int\\""}', '{"schema"', 'undefined', '{"schema":NaN}']);
    case 2:
      return `{"schema":"${'x'.repeat(random.pick([100_000, 130_000, 3_000_000]))}"}`;
    case 3:
    case 4:
      return `{"error_code":${likely(random, () => random.pick(['40403', ...oddNumbers.slice(8)]))},"message":${likely(random, () => '"said"')}}`;
    case 5:
      return `{"id":${likely(random, () => random.pick(oddNumbers))}}`;
    default: {
      const references = `[${Array.from({ length: random.pick([0, 0, 0, 0, 0, 1, 2, 3, 40]) }, () => reference(random)).join(',')}]`;
      const type = random.below(4) === 0 ? `,"schemaType":${likely(random, () => '"AVRO"')}` : '';
      return `{"schema":${likely(random, () => JSON.stringify(schemaText(random, valid)))}${type},"references":${likely(random, () => references)}}`;
    }
  }
}

function framed(random: SeededRandom, content: Buffer): { readonly headers: string; readonly bytes: Buffer } {
  const chunked = Buffer.concat([Buffer.from(`${content.length.toString(16)}\r\n`), content, Buffer.from('\r\n0\r\n\r\n')]);
  switch (random.below(8)) {
    case 0:
      return { headers: '', bytes: content };
    case 1:
      return { headers: 'transfer-encoding: chunked\r\n', bytes: chunked };
    case 2:
      return { headers: 'transfer-encoding: chunked\r\n', bytes: chunked.subarray(0, random.below(chunked.length)) };
    case 3:
      return { headers: `transfer-encoding: chunked\r\n`, bytes: content };
    case 4:
      return { headers: `content-length: ${random.pick(['-1', 'many', String(content.length + 1 + random.below(100)), String(random.below(content.length + 1)), '9'.repeat(30)])}\r\n`, bytes: content };
    default:
      return { headers: `content-length: ${content.length}\r\n`, bytes: content };
  }
}

/** @param valid the text of a schema. */
export function hostileAnswer(random: SeededRandom, valid: string): HostileAnswer {
  if (random.below(3) > 0) {
    // So that the client reads on: what is wrong is in the text alone.
    const content = Buffer.from(body(random, valid));
    const status = random.below(4) === 0 || content.includes('error_code') ? '404 Not Found' : '200 OK';
    return { bytes: Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${content.length}\r\n\r\n`), content]), then: 'end' };
  }
  if (random.below(40) === 0) return { bytes: random.bytes(random.below(200)), then: random.pick(['end', 'reset']) };
  const status = random.pick(['200 OK', '200 OK', '200 OK', '200 OK', '201 Created', '404 Not Found', '404 Not Found', '409', '422', '500', '302 Found', '204', '101 Switching Protocols', '103', '999', '0', 'x']);
  const type = random.pick(['application/vnd.schemaregistry.v1+json', 'application/json', 'application/json', 'application/json', 'text/html', 'json', '']);
  const extra = random.pick(['', '', '', 'connection: upgrade\r\nupgrade: x\r\n', 'content-encoding: gzip\r\n', 'location: :\r\n', `x: ${'y'.repeat(20_000)}\r\n`, 'content-type: text/html\r\n', 'trailer: x\r\n']);
  const { headers, bytes } = framed(random, Buffer.from(body(random, valid)));
  const head = Buffer.from(`HTTP/1.1 ${status}\r\n${type === '' ? '' : `content-type: ${type}\r\n`}${extra}${headers}\r\n`);
  return { bytes: Buffer.concat([head, bytes]), then: random.pick(['end', 'end', 'end', 'end', 'reset', ...(random.below(10) === 0 ? (['nothing'] as const) : [])]) };
}
