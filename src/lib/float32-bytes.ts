import { endianness } from 'node:os';

/** The numbers as little-endian bytes, bit for bit (NaN payloads and -0 included). A view where the machine allows, so do not write to it. */
export function float32Bytes(values: Float32Array): Buffer {
  const bytes = Buffer.from(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength);
  return endianness() === 'LE' ? bytes : Buffer.from(bytes).swap32();
}

/** The numbers in little-endian bytes, copied: a multiple of 4 of them. */
export function float32Values(bytes: Uint8Array): Float32Array {
  const copy = Buffer.from(Uint8Array.from(bytes).buffer);
  if (endianness() !== 'LE') copy.swap32();
  return new Float32Array(copy.buffer, copy.byteOffset, bytes.length / 4);
}

/** Copies the numbers in little-endian bytes into others, from number `at` on. */
export function copyFloat32(bytes: Uint8Array, into: Float32Array, at: number): void {
  const place = Buffer.from(into.buffer as ArrayBuffer, into.byteOffset + 4 * at, bytes.length);
  place.set(bytes);
  if (endianness() !== 'LE') place.swap32();
}
