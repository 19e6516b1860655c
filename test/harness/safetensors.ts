import { readFileSync, writeFileSync } from 'node:fs';

export interface Tensor {
  dtype: string;
  shape: number[];
  data: Buffer;
}

/** A second reader of the format, small enough to be obviously right, so that the engine's own is not its own judge. */
export function readSafetensors(file: string): Map<string, Tensor> {
  const bytes = readFileSync(file);
  const begin = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, begin)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  delete header['__metadata__'];
  return new Map(
    Object.entries(header).map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => [name, { dtype, shape, data: bytes.subarray(begin + from, begin + to) }],
    ),
  );
}

export function writeSafetensors(file: string, tensors: ReadonlyMap<string, Tensor>): void {
  let at = 0;
  const header = JSON.stringify(
    Object.fromEntries(
      [...tensors].map(([name, { dtype, shape, data }]) => [
        name,
        { dtype, shape, data_offsets: [at, (at += data.length)] },
      ]),
    ),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
  writeFileSync(
    file,
    Buffer.concat([length, Buffer.from(header), ...[...tensors.values()].map(({ data }) => data)]),
  );
}

/** The numbers of an F32 tensor. */
export function floats(tensor: Tensor | undefined): Float32Array {
  if (tensor?.dtype !== 'F32') throw new Error(`an F32 tensor is expected, not ${tensor?.dtype}`);
  return new Float32Array(Uint8Array.from(tensor.data).buffer);
}

/** The rows of a two-dimensional I64 tensor of token ids, each up to its first negative number. */
export function tokenRows(tensor: Tensor | undefined): number[][] {
  if (tensor?.dtype !== 'I64') throw new Error(`an I64 tensor is expected, not ${tensor?.dtype}`);
  const ids = [...new BigInt64Array(Uint8Array.from(tensor.data).buffer)].map(Number);
  const [rows = 0, width = 0] = tensor.shape;
  return Array.from({ length: rows }, (_, row) => {
    const all = ids.slice(row * width, (row + 1) * width);
    const end = all.findIndex((id) => id < 0);
    return end < 0 ? all : all.slice(0, end);
  });
}
