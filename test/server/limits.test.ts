import { describe, expect, it } from 'vitest';
import { errorCodes } from '../../schema/error-codes.ts';
import * as limits from '../../schema/limits.ts';
import { isDeeperThan } from '../../src/lib/json-depth.ts';
import { packageVersion } from '../../src/lib/package-root.ts';
import { Documents } from '../../src/server/graph/documents.ts';
import { RateBuckets } from '../../src/server/rate-buckets.ts';
import { schema } from '../../schema/index.ts';
import { serve } from '../harness/serve.ts';
import { seedRun } from '../harness/synthetic-run.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

interface Answer {
  data?: unknown;
  errors?: { message: string; extensions: Record<string, unknown> }[];
  extensions?: { cost: object };
}

describe('RateBuckets', () => {
  const start = (pointsPerHour = 3_600) => {
    let ms = 0;
    const buckets = new RateBuckets(pointsPerHour, { mostClients: 2, now: () => ms });
    return { buckets, wait: (seconds: number) => (ms += seconds * 1_000) };
  };

  it('give an hour’s points at once, then as they run out', () => {
    const { buckets, wait } = start();
    expect(buckets.take('a', 3_000)).toEqual({ taken: true, remaining: 600, retryAfter: 0, reset: 3_000 });
    expect(buckets.take('a', 601)).toEqual({ taken: false, remaining: 600, retryAfter: 1, reset: 3_000 });
    wait(1);
    expect(buckets.take('a', 601)).toEqual({ taken: true, remaining: 0, retryAfter: 0, reset: 3_600 });
    wait(10);
    expect(buckets.take('a', 11)).toMatchObject({ taken: false, retryAfter: 1 });
    wait(7_200);
    expect(buckets.take('a', 0)).toEqual({ taken: true, remaining: 3_600, retryAfter: 0, reset: 0 });
  });

  it('give back what was not used, and take what was not there', () => {
    const { buckets } = start();
    buckets.take('a', 1_000);
    expect(buckets.settle('a', -999)).toMatchObject({ remaining: 3_599 });
    expect(buckets.settle('a', -100)).toMatchObject({ remaining: 3_600 });
    expect(buckets.settle('a', 4_000)).toMatchObject({ remaining: 0, reset: 4_000 });
    expect(buckets.take('a', 1)).toMatchObject({ taken: false, retryAfter: 401 });
  });

  it('tell clients apart, and remember so many', () => {
    const { buckets } = start();
    for (const client of ['a', 'b', 'a', 'c']) buckets.take(client, 100);
    expect(buckets.size).toBe(2);
    expect(buckets.take('a', 0).remaining).toBe(3_400);
    expect(buckets.take('b', 0).remaining).toBe(3_600); // forgotten
  });
});

it.each([
  ['{"a":[1]}', 2],
  ['[[],[],{"[":"{{{\\"{"}]', 2],
  ['"[[["', 0],
  [String.raw`["\\",["\\\"["]]`, 2],
  ['[[[', 3],
])('%s is %i deep', (text, depth) => {
  expect(isDeeperThan(text, depth)).toBe(false);
  if (depth > 0) expect(isDeeperThan(text, depth - 1)).toBe(true);
});

it('a document for which there is no stack is refused, wherever it ends', () => {
  const documents = new Documents(schema, 2 ** 20);
  const deep = `{ a(b: ${'['.repeat(900)}${']'.repeat(900)}) }`;
  const refusals: unknown[] = [];
  const dive = (): void => {
    try {
      dive();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
    if (refusals.length > 0) return;
    try {
      refusals.push(
        documents.prepare(deep).errors.map(({ message, extensions }) => [message, extensions['code']]),
      );
    } catch (error) {
      if (!(error instanceof RangeError)) throw error; // not even room for the refusal
    }
  };
  dive();
  expect(refusals).toEqual([[['This document is nested too deep.', 'GRAPHQL_PARSE_FAILED']]]);
});

describe.each([true, false])('points (short way: %s)', (plainPost) => {
  const point = { query: '{ __typename }' };

  it('are not counted where only the owner of the machine asks', async () => {
    const { query } = await serve(temporaryStore(), { plainPost });
    const { headers } = await query(point);
    expect([headers.get('ratelimit'), headers.get('ratelimit-policy')]).toEqual([null, null]);
  });

  it('run out, and the answer says when to come again', async () => {
    const { query } = await serve(temporaryStore(), { plainPost, pointsPerHour: 120 });
    const first = await query({ query: '{ runs(first: 100) { edges { cursor } } }' });
    expect(first.status).toBe(200);
    expect(first.headers.get('ratelimit-policy')).toBe('"graph";q=120;w=3600');
    expect(first.headers.get('ratelimit')).toBe('"graph";r=119;t=30'); // there was nothing to read
    for (const bad of ['{', '{ nothing }']) expect((await query({ query: bad })).status).toBe(400);
    const refused = await query(point);
    expect(refused.status).toBe(429);
    const seconds = (2 * limits.refusedDocumentCost + 1 - 120) * 30;
    expect(Math.abs(Number(refused.headers.get('retry-after')) - seconds)).toBeLessThanOrEqual(30);
    const { data, errors } = (await refused.json()) as Answer;
    expect(data).toBeUndefined();
    expect(errors?.map(({ extensions }) => extensions)).toEqual([
      { code: 'RATE_LIMITED', retryable: true, requestId: refused.headers.get('x-request-id') },
    ]);
  });

  it('are needed for all that a query may cost', async () => {
    const store = temporaryStore();
    seedRun(store);
    const { query } = await serve(store, { plainPost, pointsPerHour: 100 });
    const source = '{ runs(first: 60) { edges { node { key } } } }';
    for (let i = 0; i < 40; i++) expect((await query({ query: source })).status).toBe(200); // a row each
    expect((await query({ query: source })).status).toBe(429);
    expect((await query(point)).status).toBe(200);
  });
});

describe.each([true, false])('X-Cost (short way: %s)', (plainPost) => {
  it('says what was requested and read, to who asks', async () => {
    const store = temporaryStore();
    seedRun(store);
    const { get } = await serve(store, { plainPost, pointsPerHour: 1_000 });
    const ask = async (headers: Record<string, string>) =>
      (await (
        await get('/graphql', {
          method: 'POST',
          headers: { 'Content-Type': 'application/json', ...headers },
          body: JSON.stringify({ query: '{ runs(first: 20) { edges { node { key } } } }' }),
        })
      ).json()) as Answer;
    expect((await ask({})).extensions).toBeUndefined();
    expect((await ask({ 'X-Cost': '1' })).extensions).toEqual({
      cost: { requested: 21, actual: 1, remaining: 998, resetAt: expect.stringMatching(/^\d{4}-.*Z$/) },
    });
  });
});

describe.each([true, false])('a request that takes too long (short way: %s)', (plainPost) => {
  it('is ended with TIMEOUT and nothing else, and counts twice', async () => {
    const store = temporaryStore();
    seedRun(store);
    const slow = store.organisms.all.page.bind(store.organisms.all);
    let reads = 0;
    store.organisms.all.page = (...args) => {
      reads++;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60);
      return slow(...args);
    };
    const { query } = await serve(store, { plainPost, timeoutMs: 50, pointsPerHour: 1_000 });
    const source =
      '{ a: organisms(first: 9) { edges { cursor } } node(id: "x") { id } b: organisms(first: 9) { edges { cursor } } }';
    const response = await query({ query: source });
    expect(response.status).toBe(504);
    const { errors, data } = (await response.json()) as Answer;
    expect([data, errors?.length, errors?.[0]?.extensions]).toEqual([
      undefined,
      1,
      { code: 'TIMEOUT', retryable: false, requestId: response.headers.get('x-request-id') },
    ]);
    const requested = 2 * (1 + 9) + 1;
    expect(response.headers.get('ratelimit')).toMatch(new RegExp(`^"graph";r=${1_000 - 2 * requested};`));
    expect(reads).toBeLessThanOrEqual(2); // the second ends at its first look at the clock
  });
});

it('serviceConfig publishes what the code uses', async () => {
  const { query } = await serve(temporaryStore(), { pointsPerHour: 7_000 });
  const source = `{ serviceConfig { version engineVersion features requestTimeoutMs maxStreams
    pages { defaultSize maxSize maxPreview }
    cost { limit anonymousLimit knownLimit bytesPerPoint pointsPerHour refusedDocument }
    documents { maxBodyBytes maxSourceLength maxTokens maxDirectives maxDepth maxFields maxAliases maxAliasesOfField maxRepeats maxListLength maxJsonDepth }
    filters { maxDepth maxComparisons maxValues maxTextLength maxOrders }
    downloads { maxBase64Bytes maxBase64BytesPerAnswer defaultUrlSeconds maxUrlSeconds bytesPerPoint }
    errors { maxErrors maxBytes maxMessageLength }
    errorKinds { code status retryable remedy } } }`;
  const { data } = (await (await query({ query: source })).json()) as { data: { serviceConfig: object } };
  expect(data.serviceConfig).toEqual({
    version: packageVersion(),
    engineVersion: packageVersion(),
    features: ['WRITES', 'RATE_LIMIT'],
    requestTimeoutMs: limits.requestTimeoutMs,
    maxStreams: limits.maxStreamsPerClient,
    pages: {
      defaultSize: limits.defaultPageSize,
      maxSize: limits.maxPageSize,
      maxPreview: limits.maxPreview,
    },
    cost: {
      limit: 7_000, // no more than there is in the bucket
      anonymousLimit: limits.maxCost.anonymous,
      knownLimit: limits.maxCost.known,
      bytesPerPoint: limits.bytesPerPoint,
      pointsPerHour: 7_000,
      refusedDocument: limits.refusedDocumentCost,
    },
    documents: {
      maxBodyBytes: limits.maxBodyBytes,
      maxSourceLength: limits.maxSourceLength,
      maxTokens: limits.maxTokens,
      maxDirectives: limits.maxDirectives,
      maxDepth: limits.selectionLimits.depth,
      maxFields: limits.selectionLimits.fields,
      maxAliases: limits.selectionLimits.aliases,
      maxAliasesOfField: limits.selectionLimits.aliasesOfField,
      maxRepeats: limits.selectionLimits.repeats,
      maxListLength: limits.maxListLength,
      maxJsonDepth: limits.maxJsonDepth,
    },
    filters: {
      maxDepth: limits.maxFilterDepth,
      maxComparisons: limits.maxFilterLeaves,
      maxValues: limits.maxFilterValues,
      maxTextLength: limits.maxFilterText,
      maxOrders: limits.maxOrders,
    },
    downloads: {
      maxBase64Bytes: limits.maxBase64Bytes,
      maxBase64BytesPerAnswer: limits.maxBase64BytesPerAnswer,
      defaultUrlSeconds: limits.defaultUrlSeconds,
      maxUrlSeconds: limits.maxUrlSeconds,
      bytesPerPoint: limits.downloadBytesPerPoint,
    },
    errors: {
      maxErrors: limits.maxErrors,
      maxBytes: limits.maxErrorBytes,
      maxMessageLength: limits.maxMessageLength,
    },
    errorKinds: Object.entries(errorCodes).map(([code, { status, retryable, remedy }]) => ({
      code,
      status,
      retryable,
      remedy,
    })),
  });
});

it('a filter in a variable is asked for again and again without the server standing still', async () => {
  // Compiling the coercion of an input that has itself as a member took seconds and hundreds of megabytes.
  const store = temporaryStore();
  seedRun(store);
  const documents = new Documents(schema, 2 ** 24);
  const prepared = documents.prepare(
    'query ($w: OrganismFilter) { organisms(first: 3, where: $w) { edges { node { name } } } }',
  );
  const operation = documents.operation(prepared, null)!;
  documents.compiled(prepared, operation);
  expect(documents.compiled(prepared, operation)).toBeTypeOf('function');
});
