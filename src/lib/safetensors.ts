/** A tensor to be written: little-endian, in C order. */
export interface TensorShape {
  name: string;
  dtype: 'F32' | 'I64';
  shape: readonly number[];
}

const bytesOf = { F32: 4, I64: 8 };

/** Bytes that the numbers of a tensor take. */
export const byteLength = ({ dtype, shape }: TensorShape): number =>
  shape.reduce((product, length) => product * length, bytesOf[dtype]);

/**
 * Header of a safetensors file whose tensors follow in this order without gaps: length, JSON, spaces up to a multiple of 8. The
 * same tensors and metadata give the same bytes.
 * @see https://github.com/huggingface/safetensors#format
 */
export function safetensorsHeader(
  tensors: readonly TensorShape[],
  metadata: Readonly<Record<string, string>>,
): Buffer {
  let at = 0;
  const entries = tensors.map((tensor): [string, object] => {
    const data_offsets = [at, (at += byteLength(tensor))];
    return [tensor.name, { dtype: tensor.dtype, shape: tensor.shape, data_offsets }];
  });
  const json = Buffer.from(JSON.stringify(Object.fromEntries([['__metadata__', metadata], ...entries])));
  const length = Math.ceil(json.length / 8) * 8;
  const header = Buffer.alloc(8 + length, ' ');
  header.writeBigUInt64LE(BigInt(length), 0);
  json.copy(header, 8);
  return header;
}

/** Whole numbers as the bytes of an I64 tensor. */
export const int64Bytes = (numbers: readonly number[]): Buffer =>
  Buffer.from(BigInt64Array.from(numbers, BigInt).buffer);
