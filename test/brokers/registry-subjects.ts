/** What a schema registry keeps: schemas by id, versions by subject, compatibility; answers and errors as Confluent publishes them. Schemas of other types are kept unread. */
import avro from 'avsc';

export type RegistryAnswer = { readonly status: number; readonly body: unknown };

export const compatibilityLevels = ['NONE', 'BACKWARD', 'BACKWARD_TRANSITIVE', 'FORWARD', 'FORWARD_TRANSITIVE', 'FULL', 'FULL_TRANSITIVE'] as const;
export type CompatibilityLevel = (typeof compatibilityLevels)[number];

/** Carries an error answer out of the place that finds the error. */
export class RegistryError extends Error {
  readonly answer: RegistryAnswer;

  constructor(status: number, errorCode: number, message: string) {
    super(message);
    this.answer = { status, body: { error_code: errorCode, message } };
  }
}

export type SchemaReference = { readonly name: string; readonly subject: string; readonly version: number };

/** As the API describes it: what is the default, Avro and no references, is left out. */
export type RegisteredSchema = { readonly schema: string; readonly schemaType?: string; readonly references?: readonly SchemaReference[] };

type SubjectVersion = RegisteredSchema & { readonly subject: string; readonly version: number; readonly id: number };

export type RegistrySubjects = {
  readonly schemaOf: (id: number) => RegisteredSchema;
  readonly names: () => readonly string[];
  readonly versionsOf: (subject: string) => readonly number[];
  readonly version: (subject: string, version: string) => SubjectVersion;
  readonly lookUp: (subject: string, schema: string | RegisteredSchema) => SubjectVersion;
  readonly register: (subject: string, schema: string | RegisteredSchema) => { readonly id: number };
  readonly compatibility: (subject?: string) => CompatibilityLevel;
  readonly setCompatibility: (level: string, subject?: string) => CompatibilityLevel;
};

export function registrySubjects(): RegistrySubjects {
  const schemas: RegisteredSchema[] = [];
  const subjects = new Map<string, SubjectVersion[]>();
  const levels = new Map<string, CompatibilityLevel>();
  let globalLevel: CompatibilityLevel = 'BACKWARD';

  const versionsOf = (subject: string): readonly SubjectVersion[] => {
    const versions = subjects.get(subject);
    if (versions === undefined) {
      throw new RegistryError(404, 40401, `Subject '${subject}' not found.`);
    }
    return versions;
  };

  const version = (subject: string, number: string): SubjectVersion => {
    if (number !== 'latest' && !/^[1-9]\d*$/u.test(number)) {
      throw new RegistryError(422, 42202, `The specified version '${number}' is not a valid version id. Allowed values are between [1, 2^31-1] and the string "latest"`);
    }
    const versions = versionsOf(subject);
    const found = number === 'latest' ? versions.at(-1) : versions[Number(number) - 1];
    if (found === undefined) {
      throw new RegistryError(404, 40402, `Version ${number} not found.`);
    }
    return found;
  };
  const parse = (registered: RegisteredSchema): avro.Type => parseAvro(registered, (reference) => version(reference.subject, String(reference.version)));
  const normalised = ({ schema, schemaType, references }: RegisteredSchema): RegisteredSchema => {
    const referring = references === undefined || references.length === 0 ? { schema } : { schema, references };
    if (schemaType !== undefined && schemaType !== 'AVRO') {
      return { ...referring, schemaType };
    }
    parse(referring);
    // One text for what differs in white space only.
    return { ...referring, schema: JSON.stringify(JSON.parse(schema)) };
  };
  const expectCompatible = (subject: string, registered: RegisteredSchema, former: readonly RegisteredSchema[]): void => {
    const level = levels.get(subject) ?? globalLevel;
    const compared = level.endsWith('_TRANSITIVE') ? former : former.slice(-1);
    const backward = level.startsWith('BACKWARD') || level.startsWith('FULL');
    const forward = level.startsWith('FORWARD') || level.startsWith('FULL');
    const canRead = (reader: RegisteredSchema, writer: RegisteredSchema): boolean => {
      if ((reader.schemaType ?? writer.schemaType) !== undefined) {
        return reader.schemaType === writer.schemaType;
      }
      return resolves(parse(reader), parse(writer));
    };
    if (!compared.every((other) => (!backward || canRead(registered, other)) && (!forward || canRead(other, registered)))) {
      throw new RegistryError(409, 409, `Schema being registered is incompatible with an earlier schema for subject "${subject}", details: [{compatibility: '${level}'}]`);
    }
  };

  return {
    schemaOf: (id) => {
      const registered = schemas[id - 1];
      if (registered === undefined) {
        throw new RegistryError(404, 40403, `Schema ${id} not found`);
      }
      return registered;
    },
    names: () => [...subjects.keys()].sort(),
    versionsOf: (subject) => versionsOf(subject).map((each) => each.version),
    version,
    lookUp: (subject, given) => {
      const registered = normalised(described(given));
      const found = versionsOf(subject).find((each) => isSame(each, registered));
      if (found === undefined) {
        throw new RegistryError(404, 40403, 'Schema not found');
      }
      return found;
    },
    register: (subject, given) => {
      const registered = normalised(described(given));
      const versions = subjects.get(subject) ?? [];
      const known = versions.find((each) => isSame(each, registered));
      if (known !== undefined) {
        return { id: known.id };
      }
      expectCompatible(subject, registered, versions);
      // The same content has the same id under every subject.
      const index = schemas.findIndex((each) => isSame(each, registered));
      const id = index === -1 ? schemas.push(registered) : index + 1;
      subjects.set(subject, [...versions, { subject, version: versions.length + 1, id, ...registered }]);
      return { id };
    },
    compatibility: (subject) => {
      if (subject === undefined) {
        return globalLevel;
      }
      const level = levels.get(subject);
      if (level === undefined) {
        throw new RegistryError(404, 40408, `Subject '${subject}' does not have subject-level compatibility configured`);
      }
      return level;
    },
    setCompatibility: (text, subject) => {
      const level = compatibilityLevels.find((known) => known === text);
      if (level === undefined) {
        throw new RegistryError(422, 42203, `Invalid compatibility level. Valid values are ${compatibilityLevels.join(', ')}`);
      }
      if (subject === undefined) {
        globalLevel = level;
      } else {
        levels.set(subject, level);
      }
      return level;
    },
  };
}

function described(given: string | RegisteredSchema): RegisteredSchema {
  return typeof given === 'string' ? { schema: given } : given;
}

function isSame(left: RegisteredSchema, right: RegisteredSchema): boolean {
  const identity = ({ schema, schemaType, references }: RegisteredSchema): string => JSON.stringify([schema, schemaType, references]);
  return identity(left) === identity(right);
}

/** With the types of its references, theirs first. */
function parseAvro(registered: RegisteredSchema, find: (reference: SchemaReference) => RegisteredSchema): avro.Type {
  const registry: Record<string, avro.Type> = {};
  const parse = ({ schema, references = [] }: RegisteredSchema): avro.Type => {
    for (const reference of references) {
      if (!(reference.name in registry)) {
        parse(find(reference));
      }
    }
    return avro.Type.forSchema(JSON.parse(schema) as avro.Schema, { registry });
  };
  try {
    return parse(registered);
  } catch (error) {
    throw new RegistryError(422, 42201, `Invalid schema ${registered.schema} of type AVRO, details: ${String(error)}`);
  }
}

function resolves(reader: avro.Type, writer: avro.Type): boolean {
  try {
    reader.createResolver(writer);
    return true;
  } catch {
    return false;
  }
}
