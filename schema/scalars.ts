import { builder } from './builder.ts';

builder.scalarType('DateTime', {
  description: 'A moment as RFC 3339 text in UTC with milliseconds, such as 2026-11-23T18:46:50.123Z.',
  specifiedByURL: 'https://datatracker.ietf.org/doc/html/rfc3339',
  serialize: (text) => text,
});

builder.scalarType('BigInt', {
  description: 'A whole number that may exceed 32 bits, as decimal text.',
  serialize: (value) => String(value),
});

builder.scalarType('Base64Bytes', {
  description: 'Bytes in base64 with padding (RFC 4648 §4).',
  specifiedByURL: 'https://datatracker.ietf.org/doc/html/rfc4648#section-4',
  serialize: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
});

builder.scalarType('JSON', {
  description: 'A JSON value, mostly an object, whose members depend on what made it.',
  serialize: (value) => value,
});
