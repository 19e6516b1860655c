/** Header of a .npy file, version 1.0, of float32 in C order. Data follow at a multiple of 64 bytes, as numpy writes it. */
export function npyHeader(shape: readonly number[]): Buffer {
  const axes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const description = `{'descr': '<f4', 'fortran_order': False, 'shape': (${axes}), }`;
  const preamble = 10; // magic, version, length
  const length = Math.ceil((preamble + description.length + 1) / 64) * 64;
  const header = Buffer.alloc(length, ' ');
  header.write('\x93NUMPY\x01\x00', 'latin1');
  header.writeUInt16LE(length - preamble, 8);
  header.write(description, preamble, 'latin1');
  header.write('\n', length - 1, 'latin1');
  return header;
}
