/**
 * Avro schemas as this program holds them: parsed from JSON into a graph in which every name is full and every reference is the node it
 * refers to. The canonical form, the guard and avsc's types are all made from this one reading, so that they cannot disagree about it.
 *
 * Schemas may come from elsewhere (a registry), so parsing is strict and bounded.
 */
import { codecError } from '../core/errors/codec.ts';

const primitiveKinds = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'] as const;
type PrimitiveKind = (typeof primitiveKinds)[number];

type PrimitiveNode = { readonly kind: PrimitiveKind; readonly timestamp: boolean };
type Documented = { readonly doc?: string };
type FixedNode = Documented & { readonly kind: 'fixed'; readonly name: string; readonly aliases: readonly string[]; readonly size: number };
type EnumNode = Documented & {
  readonly kind: 'enum';
  readonly name: string;
  readonly aliases: readonly string[];
  readonly symbols: readonly string[];
  readonly default: string | undefined;
};
type ArrayNode = { readonly kind: 'array'; readonly items: SchemaNode };
type MapNode = { readonly kind: 'map'; readonly values: SchemaNode };
export type UnionNode = { readonly kind: 'union'; readonly branches: readonly SchemaNode[] };
type FieldNode = Documented & {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly type: SchemaNode;
  /** As in the schema's JSON; absent where the field has none. */
  readonly default?: unknown;
};
export type RecordNode = Documented & {
  readonly kind: 'record';
  readonly name: string;
  readonly aliases: readonly string[];
  readonly fields: readonly FieldNode[];
};
export type SchemaNode = PrimitiveNode | FixedNode | EnumNode | ArrayNode | MapNode | UnionNode | RecordNode;
type NamedNode = FixedNode | EnumNode | RecordNode;

/** The JSON text's value of the schema with this full name, where a schema refers to a type that it does not define itself. */
export type ResolveReference = (name: string) => unknown;

const nestingMax = 64;
const namePattern = /^[A-Za-z_]\w*$/;

type Json = Readonly<Record<string, unknown>>;
type Scope = { readonly namespace: string; readonly nesting: number };
type Parsing = { readonly named: Map<string, NamedNode>; readonly resolve: ResolveReference };

/** Rejects with LS_CODEC_SCHEMA_INVALID what is no schema. `resolve` answers undefined for a name that it does not know. */
export function parseSchema(json: unknown, resolve: ResolveReference = () => undefined): SchemaNode {
  return parse(json, { namespace: '', nesting: 0 }, { named: new Map(), resolve });
}

function parse(json: unknown, scope: Scope, parsing: Parsing): SchemaNode {
  if (scope.nesting > nestingMax) throw invalid(`types are nested more than ${nestingMax} deep`);
  const inner = { ...scope, nesting: scope.nesting + 1 };
  if (typeof json === 'string') return parseReference(json, inner, parsing);
  if (Array.isArray(json)) return parseUnion(json, inner, parsing);
  if (!isObject(json)) throw invalid(`${JSON.stringify(json)} is no type`);
  const { type } = json;
  if (typeof type !== 'string') return parse(type, inner, parsing);
  switch (type) {
    case 'array':
      return { kind: 'array', items: parse(json['items'], inner, parsing) };
    case 'map':
      return { kind: 'map', values: parse(json['values'], inner, parsing) };
    case 'record':
    case 'error':
      return parseRecord(json, inner, parsing);
    case 'enum':
      return parseEnum(json, inner, parsing);
    case 'fixed':
      return parseFixed(json, inner, parsing);
    default:
      if (type === 'long' && json['logicalType'] === 'timestamp-millis') return { kind: 'long', timestamp: true };
      return parseReference(type, inner, parsing);
  }
}

function parseReference(name: string, scope: Scope, parsing: Parsing): SchemaNode {
  const primitive = primitiveKinds.find((kind) => kind === name);
  if (primitive !== undefined) return { kind: primitive, timestamp: false };
  const full = fullName(name, scope.namespace);
  const known = parsing.named.get(full);
  if (known !== undefined) return known;
  const json = parsing.resolve(full);
  if (json === undefined) throw invalid(`the type ${full} is not defined`);
  const node = parse(json, { namespace: '', nesting: scope.nesting }, parsing);
  if (!('name' in node) || node.name !== full) throw invalid(`the schema that should define ${full} defines something else`);
  return node;
}

function parseUnion(json: readonly unknown[], scope: Scope, parsing: Parsing): UnionNode {
  const branches = json.map((branch) => parse(branch, scope, parsing));
  const names = branches.map((branch) => ('name' in branch ? branch.name : branch.kind));
  if (names.includes('union')) throw invalid('a union is directly inside a union');
  rejectDuplicates(names, 'branch of a union');
  return { kind: 'union', branches };
}

function parseRecord(json: Json, scope: Scope, parsing: Parsing): RecordNode {
  const identity = identityOf(json, scope.namespace);
  const fields: FieldNode[] = [];
  const node: RecordNode = { kind: 'record', name: identity.name, aliases: identity.aliases, fields, ...docOf(json) };
  define(node, parsing);
  if (!Array.isArray(json['fields'])) throw invalid(`the record ${node.name} has no fields`);
  for (const field of json['fields'] as readonly unknown[]) {
    if (!isObject(field)) throw invalid(`a field of ${node.name} is no object`);
    const type = parse(field['type'], { namespace: identity.namespace, nesting: scope.nesting }, parsing);
    const named = { name: simpleName(field['name']), aliases: strings(field['aliases']).map(simpleName), type, ...docOf(field) };
    fields.push('default' in field ? { ...named, default: field['default'] } : named);
  }
  rejectDuplicates(fields.map((field) => field.name), `field of ${node.name}`);
  return node;
}

function parseEnum(json: Json, scope: Scope, parsing: Parsing): EnumNode {
  const { name, aliases } = identityOf(json, scope.namespace);
  const symbols = strings(json['symbols']).map(simpleName);
  rejectDuplicates(symbols, `symbol of ${name}`);
  const byDefault = json['default'];
  if (byDefault !== undefined && !symbols.some((symbol) => symbol === byDefault)) throw invalid(`the default of ${name} is no symbol of it`);
  return define({ kind: 'enum', name, aliases, symbols, default: typeof byDefault === 'string' ? byDefault : undefined, ...docOf(json) }, parsing);
}

function parseFixed(json: Json, scope: Scope, parsing: Parsing): FixedNode {
  const { name, aliases } = identityOf(json, scope.namespace);
  const size = json['size'];
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > 0x7fff_ffff) throw invalid(`the size of ${name} is no size`);
  return define({ kind: 'fixed', name, aliases, size, ...docOf(json) }, parsing);
}

function define<Node extends NamedNode>(node: Node, parsing: Parsing): Node {
  if (parsing.named.has(node.name)) throw invalid(`the type ${node.name} is defined twice`);
  parsing.named.set(node.name, node);
  return node;
}

/** The specification's rule for names: a dotted name is full already, and its namespace is that of the types inside. */
function identityOf(json: Json, enclosing: string): { name: string; namespace: string; aliases: readonly string[] } {
  const given = json['name'];
  if (typeof given !== 'string') throw invalid(`a type of kind ${String(json['type'])} has no name`);
  const declared = json['namespace'];
  if (declared !== undefined && typeof declared !== 'string') throw invalid(`the namespace of ${given} is no text`);
  const name = fullName(given, declared ?? enclosing);
  const namespace = name.slice(0, Math.max(0, name.lastIndexOf('.')));
  if (primitiveKinds.some((kind) => kind === name.slice(namespace.length === 0 ? 0 : namespace.length + 1))) {
    throw invalid(`${name} is the name of a primitive type`);
  }
  return { name, namespace, aliases: strings(json['aliases']).map((alias) => fullName(alias, namespace)) };
}

function fullName(name: string, namespace: string): string {
  const full = name.includes('.') ? name.replace(/^\./, '') : namespace === '' ? name : `${namespace}.${name}`;
  full.split('.').forEach(simpleName);
  return full;
}

// The generated code of avsc assigns fields by name, so the one name that means something else to JavaScript is refused.
function simpleName(name: unknown): string {
  if (typeof name !== 'string' || !namePattern.test(name) || name === '__proto__') throw invalid(`${JSON.stringify(name)} is no name`);
  return name;
}

function strings(value: unknown): readonly string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) throw invalid(`${JSON.stringify(value)} is no list of names`);
  return value;
}

function rejectDuplicates(names: readonly string[], what: string): void {
  const seen = new Set<string>();
  const duplicate = names.find((name) => seen.size === seen.add(name).size);
  if (duplicate !== undefined) throw invalid(`${duplicate} is twice a ${what}`);
}

function docOf({ doc }: Json): Documented {
  return typeof doc === 'string' ? { doc } : {};
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null;
}

function invalid(message: string): Error {
  return codecError('LS_CODEC_SCHEMA_INVALID', message);
}
