import type { VectorRow } from '../src/db/index.ts';
import { builder, type GraphContext } from './builder.ts';
import { costs } from './cost.ts';
import { DiffVectorRef } from './diff-vector.ts';
import { VectorKindEnum } from './enums.ts';
import { downloadUrl, urlArguments } from './download-url.ts';
import { badUserInput, vectorTooLarge } from './errors.ts';
import {
  bytesPerPoint,
  defaultUrlSeconds,
  maxBase64Bytes,
  maxBase64BytesPerAnswer,
  maxPreview,
} from './limits.ts';
import { rowsOf, spend } from './spend.ts';

const bytesPerNumber = 4;

export const VectorRef = builder.objectRef<VectorRow>('Vector');

builder.node(VectorRef, {
  description: 'A vector of numbers. Fetch them by URL; the graph carries previews and small base64 only.',
  id: { resolve: (vector) => vector.key },
  loadOne: (key, { store }) => store.vectors.findByKey(key),
  fields: (t) => ({
    kind: t.expose('kind', { type: VectorKindEnum, description: 'Which numbers these are.' }),
    dtype: t.string({ description: 'Type of each number: float32.', resolve: () => 'float32' }),
    shape: t.intList({
      ...costs({ assumedSize: 1 }),

      description: 'Length along each axis: one axis, d_model long.',
      resolve: (vector) => [vector.byteLength / bytesPerNumber],
    }),
    byteLength: t.exposeInt('byteLength', { description: 'Bytes of the raw download.' }),
    sha256: t.exposeString('sha256', { description: 'SHA-256 of the raw little-endian bytes, in hex.' }),
    url: t.string({
      description: 'Where the raw little-endian bytes are: numpy.frombuffer(body, "<f4").',
      args: urlArguments,
      resolve: (vector, { expiresIn }, context) => urlOf(vector, '', expiresIn, context),
    }),
    npyUrl: t.string({
      description: 'Where the same numbers are as a .npy file: numpy.load.',
      args: urlArguments,
      resolve: (vector, { expiresIn }, context) => urlOf(vector, '.npy', expiresIn, context),
    }),
    preview: t.floatList({
      ...costs({ weight: 8, slicingArguments: ['first'] }), // the whole vector is read

      nullable: { list: false, items: true },
      description:
        'The first numbers, in activation units, exact but for the sign of -0; null in the place of one that is NaN or infinite.',
      args: {
        first: t.arg.int({
          required: true,
          defaultValue: 8,
          description: `How many, 1 to ${maxPreview}, else an error; fewer when the vector is shorter.`,
        }),
      },
      resolve: (vector, { first }, context) => {
        spend(context, rowsOf(vector.byteLength));
        return previewOf(context.store.vectors.read(vector), first);
      },
    }),
    dataBase64: t.string({
      ...costs({ weight: maxBase64Bytes / bytesPerPoint }),

      nullable: true,
      description: `The raw little-endian bytes in base64; null when byteLength is above ${maxBase64Bytes}: use url then. All of one answer carry at most ${maxBase64BytesPerAnswer} bytes together; from there on it is a VECTOR_TOO_LARGE_FOR_GRAPHQL error.`,
      resolve: base64Of,
    }),
    diffVector: t.field({
      type: DiffVectorRef,
      description: 'The place it was measured at.',
      resolve: (vector) => vector.diffVector,
    }),
  }),
});

const urlOf = (vector: VectorRow, suffix: string, expiresIn: number, context: GraphContext): string =>
  downloadUrl(context, `/v1/vectors/${vector.key}${suffix}`, `sha256=${vector.sha256}`, expiresIn);

function base64Of(vector: VectorRow, _: object, context: GraphContext): string | null {
  if (vector.byteLength > maxBase64Bytes) return null;
  context.base64BytesLeft -= vector.byteLength;
  if (context.base64BytesLeft < 0) throw vectorTooLarge(urlOf(vector, '', defaultUrlSeconds, context));
  spend(context, rowsOf(vector.byteLength));
  return context.store.vectors.read(vector).toString('base64');
}

function previewOf(data: Buffer, first: number): (number | null)[] {
  if (first < 1 || first > maxPreview) {
    throw badUserInput(`first must be 1 to ${maxPreview}, not ${first}; fetch url for the whole vector.`);
  }
  const length = Math.min(first, data.length / bytesPerNumber);
  return Array.from({ length }, (_, i) => {
    const number = data.readFloatLE(i * bytesPerNumber);
    return Number.isFinite(number) ? number : null;
  });
}
