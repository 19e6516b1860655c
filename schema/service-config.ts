import { packageVersion } from '../src/lib/package-root.ts';
import { builder, type GraphContext } from './builder.ts';
import { costs } from './cost.ts';
import { describedErrors, errorCodes, type ErrorCode } from './error-codes.ts';
import { described } from './enums.ts';
import * as limits from './limits.ts';

const ErrorCodeEnum = described<ErrorCode>(
  'ErrorCode',
  'Every code of an error here: `extensions.code` of errors, `code` of userErrors and of refusals outside the graph. More may come; treat one that you do not know by `retryable`.',
  describedErrors,
);

const ErrorKindRef = builder.objectRef<ErrorCode>('ErrorKind').implement({
  description: 'What a code of an error means for a client.',
  fields: (t) => ({
    code: t.field({ type: ErrorCodeEnum, description: 'The code.', resolve: (code) => code }),
    status: t.int({
      description:
        'HTTP status of an answer without data that has this error alone; 200 where it stands beside data.',
      resolve: (code) => errorCodes[code].status,
    }),
    retryable: t.boolean({
      description: 'Whether the same request may succeed later with nothing changed.',
      resolve: (code) => errorCodes[code].retryable,
    }),
    remedy: t.string({ description: 'What to do about it.', resolve: (code) => errorCodes[code].remedy }),
  }),
});

/** A type all of whose fields are numbers of this server. */
const numbers = <Name extends string>(
  name: string,
  description: string,
  fields: Record<Name, [value: number, description: string]>,
) =>
  builder.objectRef<object>(name).implement({
    description,
    fields: (t) =>
      Object.fromEntries(
        Object.entries<[number, string]>(fields).map(([field, [value, about]]) => [
          field,
          t.int({ description: about, resolve: () => value }),
        ]),
      ),
  });

const PageLimitsRef = numbers('PageLimits', 'How long lists are.', {
  defaultSize: [limits.defaultPageSize, 'Rows of a page when neither first nor last is given.'],
  maxSize: [limits.maxPageSize, 'The most rows of a page, and ids in `nodes`; more is an error.'],
  maxPreview: [limits.maxPreview, 'The most numbers in Vector.preview.'],
});

const DocumentLimitsRef = numbers('DocumentLimits', 'How large requests and documents may be.', {
  maxBodyBytes: [limits.maxBodyBytes, 'Bytes of the body of a request to the graph.'],
  maxSourceLength: [limits.maxSourceLength, 'UTF-16 units of a document.'],
  maxTokens: [limits.maxTokens, 'Tokens of a document.'],
  maxDirectives: [limits.maxDirectives, 'Directives in a document.'],
  maxDepth: [limits.selectionLimits.depth, 'Fields on the way from the root, fragments spread out.'],
  maxFields: [limits.selectionLimits.fields, 'Fields of an operation, fragments spread out.'],
  maxAliases: [
    limits.selectionLimits.aliases,
    'Fields of an operation under another name, fragments spread out; __typename does not count.',
  ],
  maxAliasesOfField: [limits.selectionLimits.aliasesOfField, 'The most of them that are the same field.'],
  maxRepeats: [limits.selectionLimits.repeats, 'How often a field may be asked for in the same place.'],
  maxListLength: [limits.maxListLength, 'Members of a list in variables.'],
  maxJsonDepth: [limits.maxJsonDepth, 'How deep objects and lists of the JSON may lie in each other.'],
});

const FilterLimitsRef = numbers('FilterLimits', 'How much a filter or an order may ask.', {
  maxDepth: [limits.maxFilterDepth, 'How deep and, or and not may lie in each other.'],
  maxComparisons: [limits.maxFilterLeaves, 'Comparisons in all.'],
  maxValues: [limits.maxFilterValues, 'Values of an `in`.'],
  maxTextLength: [limits.maxFilterText, 'UTF-16 units of a text.'],
  maxOrders: [limits.maxOrders, 'Members of orderBy.'],
});

const DownloadLimitsRef = numbers('DownloadLimits', 'How vectors leave.', {
  maxBase64Bytes: [
    limits.maxBase64Bytes,
    'Bytes of a vector that Vector.dataBase64 carries; larger ones leave by URL.',
  ],
  maxBase64BytesPerAnswer: [
    limits.maxBase64BytesPerAnswer,
    'Bytes, before base64, that all dataBase64 of an answer carry.',
  ],
  defaultUrlSeconds: [limits.defaultUrlSeconds, 'Seconds for which a signed URL opens by default.'],
  maxUrlSeconds: [limits.maxUrlSeconds, 'The longest that a signed URL may open, in seconds.'],
});

const ErrorLimitsRef = numbers('ErrorLimits', 'How much an answer says of what went wrong.', {
  maxErrors: [limits.maxErrors, 'Errors in an answer.'],
  maxBytes: [limits.maxErrorBytes, 'Bytes of JSON that they have together.'],
  maxMessageLength: [limits.maxMessageLength, 'UTF-16 units of a message; longer ones are cut.'],
});

const CostLimitsRef = builder.objectRef<GraphContext>('CostLimits').implement({
  description:
    'What requests may cost, in points: 1 for each object and each list, and for a list the size of its page times what a row costs. It is computed before anything is read, from `first` and `last` and not from what is there: say small ones in inner lists to lower it. With the header `X-Cost: 1` answers say in `extensions.cost` what was requested and read.',
  fields: (t) => ({
    limit: t.exposeInt('costLimit', { description: 'Points that one request of yours may cost.' }),
    anonymousLimit: t.int({
      description: 'Points that a request without a token may cost, on a server with tokens.',
      resolve: () => limits.maxCost.anonymous,
    }),
    knownLimit: t.int({
      description: 'Points that a request with a token, or of the owner of the machine, may cost.',
      resolve: () => limits.maxCost.known,
    }),
    bytesPerPoint: t.int({
      description: 'Bytes of a text or a vector that cost a point when they are read for an answer.',
      resolve: () => limits.bytesPerPoint,
    }),
    payload: t.int({
      description: 'Points that a mutation may cost with what it answers; ask for more by a query.',
      resolve: () => limits.maxPayloadCost,
    }),
    search: t.int({
      description:
        'Points of a token search, and of each different `topTokens` and `some` in a filter, beside the rows.',
      resolve: () => limits.searchCost,
    }),
    pointsPerHour: t.int({
      nullable: true,
      description:
        'Points that a client may spend in an hour; what is spent runs out of its bucket evenly. What was requested and not read is given back; a request that took too long counts twice. Null where requests are not counted.',
      resolve: ({ service }) => service.pointsPerHour,
    }),
    refusedDocument: t.int({
      description: 'Points that a document takes which does not parse or is not valid.',
      resolve: () => limits.refusedDocumentCost,
    }),
  }),
});

const ServiceConfigRef = builder.objectRef<GraphContext>('ServiceConfig').implement({
  description: 'What this server is, can do and allows.',
  fields: (t) => ({
    version: t.string({ description: 'Version of the server.', resolve: packageVersion }),
    engineVersion: t.string({
      description: 'Version of the engine that comes with it, which new results carry.',
      resolve: packageVersion,
    }),
    features: t.stringList({
      ...costs({ assumedSize: 10 }),
      description:
        'What not every server has, an open set: JOBS (an engine does jobs), WRITES (mutations are taken), TOKENS (requests need one), RATE_LIMIT (points are counted).',
      resolve: (_, __, { service }) =>
        Object.entries({
          JOBS: service.jobs,
          WRITES: service.writes,
          TOKENS: service.tokens,
          RATE_LIMIT: service.pointsPerHour !== null,
        }).flatMap(([name, there]) => (there ? [name] : [])),
    }),
    requestTimeoutMs: t.int({
      description: 'Milliseconds that a request to the graph may be at work.',
      resolve: () => limits.requestTimeoutMs,
    }),
    maxStreams: t.int({
      description: 'Jobs that a client may listen to at a time.',
      resolve: () => limits.maxStreamsPerClient,
    }),
    pages: t.field({ type: PageLimitsRef, description: 'Limits of lists.', resolve: () => ({}) }),
    cost: t.field({
      type: CostLimitsRef,
      description: 'Limits of what is read.',
      resolve: (context) => context,
    }),
    documents: t.field({ type: DocumentLimitsRef, description: 'Limits of requests.', resolve: () => ({}) }),
    filters: t.field({ type: FilterLimitsRef, description: 'Limits of filters.', resolve: () => ({}) }),
    downloads: t.field({ type: DownloadLimitsRef, description: 'Limits of vectors.', resolve: () => ({}) }),
    errors: t.field({ type: ErrorLimitsRef, description: 'Limits of errors.', resolve: () => ({}) }),
    errorKinds: t.field({
      type: [ErrorKindRef],
      ...costs({ assumedSize: Object.keys(errorCodes).length }),
      description: 'Every code that an error may have.',
      resolve: () => Object.keys(errorCodes) as ErrorCode[],
    }),
  }),
});

builder.queryField('serviceConfig', (t) =>
  t.field({
    type: ServiceConfigRef,
    description: 'What this server is and allows: every limit that a request can run into, with its unit.',
    resolve: (_, __, context) => context,
  }),
);
