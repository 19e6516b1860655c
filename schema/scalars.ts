import { momentOf } from '../src/lib/moment.ts';
import { builder } from './builder.ts';
import { badUserInput } from './errors.ts';

builder.scalarType('DateTime', {
  description:
    'A moment as RFC 3339 text. Answers have UTC with milliseconds, such as 2026-11-23T18:46:50.123Z; what is sent may have any offset, such as 2026-11-23T20:46:50+02:00.',
  specifiedByURL: 'https://datatracker.ietf.org/doc/html/rfc3339',
  serialize: (text) => text,
  parseValue(value) {
    const moment = typeof value === 'string' ? momentOf(value) : undefined;
    if (moment !== undefined) return moment;
    throw badUserInput(
      `A DateTime is an RFC 3339 time with its offset, such as "2026-11-23T18:46:50.123Z", not ${shortened(value)}.`,
    );
  },
});

/** A value as JSON, cut where it is long. */
function shortened(value: unknown): string {
  const json = JSON.stringify(value);
  return json.length > 60 ? `${json.slice(0, 60).toWellFormed()}…` : json;
}

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
