/**
 * Tensors of the open inference protocol (KServe v2) as bodies hold them: numbers and texts in JSON, or raw bytes behind the JSON (the extension for
 * binary tensors). Elements of BYTES have their length before them there, 4 bytes, little-endian like all numbers.
 */
import { serverError } from '../../core/errors/server.ts';
import { taskItemsMax } from '../../tasks/task-request.ts';

const numberTypes = ['BOOL', 'UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64', 'FP32', 'FP64'] as const;
export const dataTypes = [...numberTypes, 'BYTES'] as const;
export type DataType = (typeof dataTypes)[number];

/** Values in row-major order: numbers, or the bytes of each element. */
export type InputTensor = {
  readonly name: string;
  readonly datatype: DataType;
  readonly shape: readonly number[];
  readonly values: readonly number[] | readonly Buffer[];
};

export type OutputTensor = {
  readonly name: string;
  readonly datatype: 'FP32' | 'BYTES';
  readonly shape: readonly number[];
  readonly values: ArrayLike<number> | readonly string[];
};

export type GivenTensor = {
  readonly name: string;
  readonly datatype: DataType;
  readonly shape: readonly number[];
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
  readonly data?: readonly unknown[] | undefined;
};

const sizes: Readonly<Record<Exclude<DataType, 'BYTES'>, number>> = { BOOL: 1, UINT8: 1, INT8: 1, UINT16: 2, INT16: 2, UINT32: 4, INT32: 4, FP32: 4, UINT64: 8, INT64: 8, FP64: 8 };

function refuse(name: string, message: string): never {
  throw serverError('LS_SERVER_REQUEST', `the input ${name} ${message}`, { name });
}

/** @param raw what stands behind the JSON. Throws LS_SERVER_REQUEST. */
export function inputTensors(given: readonly GivenTensor[], raw: Buffer): readonly InputTensor[] {
  let offset = 0;
  const tensors = given.map((tensor): InputTensor => {
    const { name, datatype, shape, data, parameters } = tensor;
    const size = parameters?.['binary_data_size'];
    const count = shape.reduce((product, length) => product * length, 1);
    // Before anything is made of each.
    if (count > taskItemsMax) refuse(name, `has a shape of ${count}; at most ${taskItemsMax} elements are taken`);
    if (size === undefined) return { name, datatype, shape, values: valuesOf(tensor, data ?? refuse(name, 'has no data'), count) };
    if (data !== undefined || !Number.isInteger(size) || (size as number) < 0) refuse(name, 'has both data and binary_data_size, or one that is no size');
    const bytes = raw.subarray(offset, offset + (size as number));
    offset += size as number;
    if (bytes.length !== size) refuse(name, `has ${bytes.length} bytes in the body instead of ${size as number}`);
    return { name, datatype, shape, values: datatype === 'BYTES' ? elementsIn(name, bytes, count) : numbersIn(name, datatype, bytes, count) };
  });
  if (offset !== raw.length) throw serverError('LS_SERVER_REQUEST', `the body has ${raw.length} bytes behind its JSON, of which the inputs name ${offset}`);
  return tensors;
}

function valuesOf({ name, datatype }: GivenTensor, data: readonly unknown[], count: number): readonly number[] | readonly Buffer[] {
  const flat = data.flat(16);
  if (flat.length !== count) refuse(name, `has ${flat.length} elements, and a shape of ${count}`);
  if (datatype === 'BYTES') return flat.map((element) => (typeof element === 'string' ? Buffer.from(element) : refuse(name, 'holds what is no text')));
  return flat.map((element) => (typeof element === 'number' ? element : typeof element === 'boolean' ? Number(element) : refuse(name, 'holds what is no number')));
}

function elementsIn(name: string, bytes: Buffer, count: number): readonly Buffer[] {
  const elements: Buffer[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    if (elements.length === count) refuse(name, `has more elements than its shape of ${count}`);
    const start = offset + 4;
    const end = start + (start <= bytes.length ? bytes.readUInt32LE(offset) : 0);
    if (start > bytes.length || end > bytes.length) refuse(name, 'ends within an element');
    elements.push(bytes.subarray(start, end));
    offset = end;
  }
  return elements.length === count ? elements : refuse(name, `has ${elements.length} elements, and a shape of ${count}`);
}

function numbersIn(name: string, datatype: Exclude<DataType, 'BYTES'>, bytes: Buffer, count: number): readonly number[] {
  if (bytes.length !== count * sizes[datatype]) refuse(name, `has ${bytes.length} bytes, and a shape of ${count} of ${datatype}`);
  return Array.from({ length: count }, (_, index) => numberAt(bytes, datatype, index * sizes[datatype]));
}

function numberAt(bytes: Buffer, datatype: Exclude<DataType, 'BYTES'>, at: number): number {
  switch (datatype) {
    case 'BOOL':
    case 'UINT8':
      return bytes.readUInt8(at);
    case 'INT8':
      return bytes.readInt8(at);
    case 'UINT16':
      return bytes.readUInt16LE(at);
    case 'INT16':
      return bytes.readInt16LE(at);
    case 'UINT32':
      return bytes.readUInt32LE(at);
    case 'INT32':
      return bytes.readInt32LE(at);
    case 'UINT64':
      return Number(bytes.readBigUInt64LE(at));
    case 'INT64':
      return Number(bytes.readBigInt64LE(at));
    case 'FP32':
      return bytes.readFloatLE(at);
    case 'FP64':
      return bytes.readDoubleLE(at);
  }
}

/** As raw bytes. */
export function rawBytes({ datatype, values }: OutputTensor): Buffer {
  if (datatype === 'BYTES') {
    return Buffer.concat(
      (values as readonly string[]).flatMap((element) => {
        const bytes = Buffer.from(element);
        const length = Buffer.alloc(4);
        length.writeUInt32LE(bytes.length);
        return [length, bytes];
      }),
    );
  }
  const bytes = Buffer.alloc(4 * values.length);
  for (let index = 0; index < values.length; index += 1) bytes.writeFloatLE(values[index] as number, 4 * index);
  return bytes;
}
