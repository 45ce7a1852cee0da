/**
 * A client of a schema registry that speaks Confluent's API: which schema has an id, and which id has a schema. It waits for the registry
 * without bound (SEMANTICS.md, rule 22), and trusts nothing that it says: sizes and numbers are limited, and what it calls a schema is parsed
 * by whoever asked, as any writer's schema is.
 */
import type { Clock, Random } from '../../core/clock.ts';
import { registryError } from '../../core/errors/registry.ts';
import { createAvailability, type AvailabilityObserver } from './availability.ts';
import { askRegistry, objectOf, type RegistryAnswer, type RegistryCredentials, type RegistryRequest } from './registry-request.ts';

export type SchemaRegistryOptions = {
  /** Asked in turn, the one that answered last first. Only when all have answered, and more than once, something is not there. */
  readonly urls: readonly string[];
  /** Rejects with LS_REGISTRY_CREDENTIALS_FILE. */
  readonly readCredentials: () => Promise<RegistryCredentials>;
  readonly requestTimeoutMs: number;
  /** `once`: an outage is a failure, and what is not there is not asked for again, for commands that people wait for. */
  readonly patience: 'unbounded' | 'once';
  readonly observer: AvailabilityObserver;
  readonly clock: Clock;
  readonly random: Random;
  /** Ends every wait with its reason. */
  readonly signal: AbortSignal;
};

export type RegisteredSchema = {
  readonly json: unknown;
  /** What it refers to, by full name. */
  readonly references: ReadonlyMap<string, unknown>;
};

export type SchemaRegistry = {
  /** Rejects with LS_REGISTRY_SCHEMA_UNKNOWN, LS_REGISTRY_SCHEMA_UNREADABLE, and the signal's reason. */
  readonly schemaOf: (id: number, signal: AbortSignal) => Promise<RegisteredSchema>;
  /** The id of a schema under a subject. Rejects with LS_REGISTRY_NOT_REGISTERED, LS_REGISTRY_REGISTRATION, and the signal's reason. */
  readonly idOf: (subject: string, schema: string, mode: 'register' | 'find', signal: AbortSignal) => Promise<number>;
};

/** Several times the largest schema of ours. The worst that so many bytes can hold take 0.2 s to compile, once. */
const answerBytesMax = 128 * 1024;
const referencesMax = 32;
/** A registry's code for an id, or a schema under a subject, that it does not have; for a subject; and for a version of it. */
const schemaNotFound = 40_403;
const subjectNotFound = 40_401;
const versionNotFound = 40_402;
/** One of several replicas, behind one address or at its own, may hear of a new schema a moment after its producer did: so long it is asked again. */
const notFoundWaitsMs = [250, 1_000] as const;

type Ask = (request: RegistryRequest, signal: AbortSignal) => Promise<RegistryAnswer>;

export function createSchemaRegistry(options: SchemaRegistryOptions): SchemaRegistry {
  const availability = createAvailability({ ...options, backOffBaseMs: 250, backOffCapMs: 30_000, requestsMax: 4 });
  const askAny = askInTurn(options);
  const ask: Ask = async (request, signal) => {
    const ending = AbortSignal.any([signal, options.signal]);
    const attempt = (): Promise<RegistryAnswer> => availability.whenAvailable(() => askAny(request, ending), ending);
    let answer = await attempt();
    for (const waitMs of options.patience === 'once' ? [] : notFoundWaitsMs) {
      if (!isNotFound(answer)) break;
      await options.clock.sleep(waitMs, ending);
      ending.throwIfAborted();
      answer = await attempt();
    }
    return answer;
  };
  return {
    schemaOf: (id, signal) => schemaOf(ask, id, signal),
    idOf: (subject, schema, mode, signal) => idOf(ask, subject, schema, mode, signal),
  };
}

function isNotFound(answer: RegistryAnswer): boolean {
  return answer.kind === 'refused' && [schemaNotFound, subjectNotFound, versionNotFound].includes(answer.errorCode);
}

/** One attempt: every address until one answers; that something is not there, only when all answer and none has it. One that is away may have it. */
function askInTurn({ urls, readCredentials, requestTimeoutMs, clock }: SchemaRegistryOptions): Ask {
  let first = 0;
  return async (request, signal) => {
    const credentials = await readCredentials();
    let failure: unknown;
    let notFound: { readonly answer: RegistryAnswer; readonly index: number } | undefined;
    for (let turn = 0; turn < urls.length; turn++) {
      const index = (first + turn) % urls.length;
      try {
        const answer = await askRegistry(urls[index] ?? '', request, credentials, { limits: { requestTimeoutMs, answerBytesMax }, clock, signal });
        if (isNotFound(answer)) {
          notFound ??= { answer, index };
          continue;
        }
        first = index;
        return answer;
      } catch (error) {
        signal.throwIfAborted();
        failure ??= error;
      }
    }
    if (notFound === undefined || failure !== undefined) throw failure;
    first = notFound.index;
    return notFound.answer;
  };
}

async function schemaOf(ask: Ask, id: number, signal: AbortSignal): Promise<RegisteredSchema> {
  const answer = await ask({ method: 'GET', path: `/schemas/ids/${id}` }, signal);
  if (answer.kind === 'refused' && answer.errorCode === schemaNotFound) {
    throw registryError('LS_REGISTRY_SCHEMA_UNKNOWN', `the value was written with schema ${id}, which the schema registry does not have`, { schemaId: id });
  }
  const { json, pointers } = readSchema(answer, `schema ${id}`, id);
  return { json, references: await readReferences(ask, pointers, id, signal) };
}

type Pointer = { readonly name: string; readonly subject: string; readonly version: number };

async function readReferences(ask: Ask, pointers: readonly Pointer[], id: number, signal: AbortSignal): Promise<ReadonlyMap<string, unknown>> {
  const references = new Map<string, unknown>();
  const left = [...pointers];
  for (let next = left.shift(); next !== undefined; next = left.shift()) {
    const { name, subject, version } = next;
    if (references.has(name)) continue;
    if (references.size === referencesMax) throw unreadable(id, `schema ${id} refers to more than ${referencesMax} others`);
    const answer = await ask({ method: 'GET', path: `/subjects/${encodeURIComponent(subject)}/versions/${version}` }, signal);
    const read = readSchema(answer, `version ${version} of ${JSON.stringify(subject)}, to which schema ${id} refers,`, id);
    references.set(name, read.json);
    left.push(...read.pointers);
  }
  return references;
}

function readSchema(answer: RegistryAnswer, what: string, id: number): { readonly json: unknown; readonly pointers: readonly Pointer[] } {
  if (answer.kind === 'too-large') throw unreadable(id, `${what} has more than ${answerBytesMax} bytes`);
  if (answer.kind === 'refused') throw unreadable(id, `${what} cannot be had: ${answer.errorCode} ${answer.message}`);
  const { schema, schemaType = 'AVRO', references = [] } = objectOf(answer.body);
  if (schemaType !== 'AVRO') throw unreadable(id, `${what} is of the type ${typeof schemaType === 'string' ? JSON.stringify(schemaType.slice(0, 100)) : typeof schemaType}, not AVRO`);
  if (typeof schema !== 'string') throw unreadable(id, `${what} came without a text`);
  if (!Array.isArray(references)) throw unreadable(id, `${what} has references that are no list`);
  return { json: parseText(schema, what, id), pointers: references.map((reference) => pointerOf(reference, what, id)) };
}

function parseText(text: string, what: string, id: number): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw unreadable(id, `${what} is no JSON`, error);
  }
}

function pointerOf(reference: unknown, what: string, id: number): Pointer {
  const { name, subject, version } = objectOf(reference);
  if (typeof name === 'string' && isSubject(subject) && typeof version === 'number' && Number.isInteger(version)) return { name, subject, version };
  throw unreadable(id, `${what} has a reference without name, subject and version`);
}

/** One that can be a part of a path: half a surrogate pair cannot be encoded, and dots would lead elsewhere. */
function isSubject(value: unknown): value is string {
  return typeof value === 'string' && value.isWellFormed() && !/^\.{0,2}$/.test(value);
}

function unreadable(id: number, message: string, cause?: unknown): Error {
  return registryError('LS_REGISTRY_SCHEMA_UNREADABLE', message, { schemaId: id }, { cause });
}

async function idOf(ask: Ask, subject: string, schema: string, mode: 'register' | 'find', signal: AbortSignal): Promise<number> {
  const path = `/subjects/${encodeURIComponent(subject)}${mode === 'register' ? '/versions' : ''}?normalize=true`;
  const answer = await ask({ method: 'POST', path, body: { schema } }, signal);
  const id = answer.kind === 'success' ? objectOf(answer.body)['id'] : undefined;
  if (isSchemaId(id)) return id;
  if (answer.kind !== 'refused') throw registryError('LS_REGISTRY_REGISTRATION', `the schema registry gave no id for the subject ${subject}`, { subject });
  const said = `${answer.errorCode} ${answer.message}`;
  if (mode === 'find' && (answer.errorCode === schemaNotFound || answer.errorCode === subjectNotFound)) {
    throw registryError('LS_REGISTRY_NOT_REGISTERED', `the subject ${subject} does not have the schema of this program: ${said}`, { subject });
  }
  throw registryError('LS_REGISTRY_REGISTRATION', `the schema registry refuses the schema of this program for the subject ${subject}: ${said}`, { subject });
}

/** As the wire can carry it. */
function isSchemaId(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0x7fff_ffff;
}
