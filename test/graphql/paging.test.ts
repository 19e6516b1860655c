import { describe, expect, it } from 'vitest';
import { graphContext, schema } from '../../schema/index.ts';
import type { DiffVectorRow, Store } from '../../src/db/index.ts';
import { Documents } from '../../src/server/graph/documents.ts';
import { execute } from '../../src/server/graph/execute.ts';
import { ask, errorCode } from '../harness/ask.ts';
import {
  syntheticComponents,
  syntheticDivergence,
  syntheticEffect,
  syntheticExperiment,
  syntheticReadings,
  syntheticSimilarity,
} from '../harness/synthetic-results.ts';
import { serve } from '../harness/serve.ts';
import { seedRun } from '../harness/synthetic-run.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

interface PageOf {
  edges: { cursor: string; node: { id: string } }[];
  pageInfo: {
    hasNextPage: boolean;
    hasPreviousPage: boolean;
    startCursor: string | null;
    endCursor: string | null;
  };
  totalCount: number;
}

/** Lists of every kind: how to reach one, with % where its arguments go and @ where its selection does. */
const lists: Record<string, { field: string; path: string[]; rows?: number }> = {
  runs: { field: 'runs(%) @', path: ['runs'], rows: 13 },
  'organism.runs': { field: 'organism(name: "tiny-cake") { runs(%) @ }', path: ['organism', 'runs'] },
  'corpus.runs': { field: 'corpus(name: "probe") { runs(%) @ }', path: ['corpus', 'runs'], rows: 13 },
  organisms: { field: 'organisms(kinds: ["SDF"], %) @', path: ['organisms'] },
  'baseModel.organisms': {
    field: 'baseModel(name: "tiny-base") { organisms(%) @ }',
    path: ['baseModel', 'organisms'],
  },
  'layer.diffVectors': {
    field: 'organism(name: "tiny-cake") { latestRun { layer(layer: 1) { diffVectors(%) @ } } }',
    path: ['organism', 'latestRun', 'layer', 'diffVectors'],
  },
  'diffVector.projections': {
    field: 'diffVector(key: "VECTOR") { projections(%) @ }',
    path: ['diffVector', 'projections'],
  },
  'run.divergences': {
    field: 'organism(name: "tiny-cake") { latestRun { divergences(%) @ } }',
    path: ['organism', 'latestRun', 'divergences'],
  },
  'diffVector.steeringExperiments': {
    field: 'diffVector(key: "VECTOR") { steeringExperiments(%) @ }',
    path: ['diffVector', 'steeringExperiments'],
  },
  'steeringExperiment.samples': {
    field: 'steeringExperiment(key: "EXPERIMENT") { samples(%) @ }',
    path: ['steeringExperiment', 'samples'],
  },
  'steeringExperiment.similarities': {
    field: 'steeringExperiment(key: "EXPERIMENT") { similarities(%) @ }',
    path: ['steeringExperiment', 'similarities'],
  },
  'diffVector.causalEffects': {
    field: 'diffVector(key: "VECTOR") { causalEffects(%) @ }',
    path: ['diffVector', 'causalEffects'],
  },
  'diffVector.principalComponents': {
    field: 'diffVector(key: "VECTOR") { principalComponents(%) @ }',
    path: ['diffVector', 'principalComponents'],
  },
  'projection.tokens': {
    field: 'node(id: "TOKENS") { ... on Projection { tokens(%) @ } }',
    path: ['node', 'tokens'],
  },
};

const selection =
  '{ totalCount edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }';

function seeded(): Store {
  const store = temporaryStore();
  for (let seed = 1; seed <= 7; seed++) seedRun(store, { seed, positions: 7, tokens: 7, layers: [1] });
  for (let n = 1; n <= 6; n++) seedRun(store, { organism: `organism-${n}`, seed: 1, layers: [1] });
  seedSevens(store);
  return store;
}

/** The vector whose lists are read: of the newest run. */
const vectorOf = (store: Store): DiffVectorRow => {
  const run = store.runs.latestOfOrganism(store.organisms.get('tiny-cake'))!;
  return store.diffVectors.findByKey(`${run.key}.L1.P0`)!;
};

/** The experiment whose lists are read. */
const experimentOf = (store: Store) =>
  store.steering.ofDiffVector
    .page(vectorOf(store), {}, { first: 9 })
    .rows.find(({ seed, judge }) => seed === 0 && judge === 'fluency')!;

/** Seven of everything that a vector, its run or an experiment lists: of each several that differ in the last column of the order only. */
function seedSevens(store: Store): void {
  const vector = vectorOf(store);
  const sevens = Array.from({ length: 7 }, (_, n) => n);
  store.projections.save([
    ...syntheticReadings(vector), // beside two of the run
    ...syntheticReadings(vector, { mode: 'COMPAT' }).slice(0, 2),
  ]);
  store.divergences.save(
    vector.layer.run,
    sevens.map((n) => syntheticDivergence(n % 4, { parameters: { n } })),
  );
  for (const n of sevens) {
    const { samples } = syntheticExperiment(vector);
    store.steering.save(
      syntheticExperiment(vector, {
        judge: n % 2 ? 'other' : 'fluency',
        seed: n,
        samples: samples.slice(0, 7),
      }),
    );
    store.components.save(vector, syntheticComponents({ parameters: { n } }));
  }
  const directions = ['BASE_TO_FINETUNED', 'ZERO_BASE'] as const;
  store.causalEffects.save(
    sevens.map((n) => syntheticEffect(vector, { direction: directions[n % 2]!, parameters: { n } })),
  );
  store.similarities.save(
    sevens.map((n) =>
      syntheticSimilarity(experimentOf(store), { group: n % 2 ? 'STEERED' : 'UNSTEERED', parameters: { n } }),
    ),
  );
}

async function page(store: Store, name: string, args: string): Promise<PageOf> {
  const list = lists[name]!;
  const run = store.runs.latestOfOrganism(store.organisms.get('tiny-cake'))!;
  const projection = Buffer.from(`Projection:${run.key}.L1.P0.logit-lens.diff.promoted`).toString('base64');
  const inner = list.field
    .replace('%', args)
    .replace('TOKENS', projection)
    .replace('VECTOR', vectorOf(store).key)
    .replace('EXPERIMENT', experimentOf(store).key);
  const answer = await ask(store, `{ ${inner.replace('@', selection)} }`);
  return list.path.reduce<unknown>(
    (value, step) => (value as Record<string, unknown>)[step],
    answer,
  ) as PageOf;
}

describe.each(Object.keys(lists))('%s', (name) => {
  it('reads the same by pages of any size, forwards and backwards, as at once', async () => {
    const store = seeded();
    const whole = await page(store, name, 'first: 200');
    const ids = whole.edges.map(({ node }) => node.id);
    const rows = lists[name]?.rows ?? 7;
    expect(ids.length).toBe(rows);
    expect(new Set(ids).size).toBe(rows);
    expect(whole).toMatchObject({
      totalCount: rows,
      pageInfo: { hasNextPage: false, hasPreviousPage: false },
    });
    for (const size of [1, 2, 3, 6, 7, 8, 13]) {
      const forwards: string[] = [];
      for (let after = '', more = true; more;) {
        const { edges, pageInfo } = await page(store, name, `first: ${size}${after}`);
        expect(pageInfo.hasPreviousPage).toBe(forwards.length > 0);
        expect(pageInfo.startCursor).toBe(edges[0]?.cursor);
        forwards.push(...edges.map(({ node }) => node.id));
        [after, more] = [`, after: "${pageInfo.endCursor}"`, pageInfo.hasNextPage];
      }
      const backwards: string[] = [];
      for (let before = '', more = true; more;) {
        const { edges, pageInfo } = await page(store, name, `last: ${size}${before}`);
        expect(pageInfo.hasNextPage).toBe(backwards.length > 0);
        backwards.unshift(...edges.map(({ node }) => node.id));
        [before, more] = [`, before: "${pageInfo.startCursor}"`, pageInfo.hasPreviousPage];
      }
      expect({ size, forwards, backwards }).toEqual({ size, forwards: ids, backwards: ids });
    }
  });
});

describe('paging', () => {
  const idsOf = ({ edges }: PageOf) => edges.map(({ node }) => node.id);

  it('applies cursors, then first, then last', async () => {
    const store = seeded();
    const whole = await page(store, 'layer.diffVectors', 'first: 200');
    const ids = idsOf(whole);
    const [after, before] = [`after: "${whole.edges[1]!.cursor}"`, `before: "${whole.edges[5]!.cursor}"`];
    const between = await page(store, 'layer.diffVectors', `${after}, ${before}`);
    expect(idsOf(between)).toEqual(ids.slice(2, 5));
    expect(between.pageInfo).toMatchObject({ hasPreviousPage: true, hasNextPage: false });
    expect(idsOf(await page(store, 'layer.diffVectors', `${after}, ${before}, last: 2`))).toEqual(
      ids.slice(3, 5),
    );
    const both = await page(store, 'layer.diffVectors', `${after}, first: 3, last: 2`);
    expect(idsOf(both)).toEqual(ids.slice(3, 5));
    expect(both.pageInfo).toMatchObject({ hasPreviousPage: true, hasNextPage: true });
    const crossed = await page(
      store,
      'layer.diffVectors',
      `after: "${whole.edges[5]!.cursor}", before: "${whole.edges[1]!.cursor}"`,
    );
    expect(crossed.edges).toEqual([]);
  });

  it('takes first: 0 and reads nothing but the count', async () => {
    const store = seeded();
    expect(await page(store, 'runs', 'first: 0')).toEqual({
      totalCount: 13,
      edges: [],
      pageInfo: { hasNextPage: true, hasPreviousPage: false, startCursor: null, endCursor: null },
    });
  });

  it('takes null for first and last as absent, and 0 rows before and after a cursor', async () => {
    const store = seeded();
    const whole = await page(
      store,
      'layer.diffVectors',
      'first: null, last: null, after: null, before: null',
    );
    const ids = idsOf(whole);
    expect(ids).toHaveLength(7);
    const [third, fifth] = [whole.edges[2]!.cursor, whole.edges[4]!.cursor];
    expect(await page(store, 'layer.diffVectors', `first: 0, after: "${third}"`)).toMatchObject({
      edges: [],
      pageInfo: { hasPreviousPage: true, hasNextPage: true, startCursor: null, endCursor: null },
    });
    expect(await page(store, 'layer.diffVectors', `last: 0, before: "${third}"`)).toMatchObject({
      edges: [],
      pageInfo: { hasPreviousPage: true, hasNextPage: true },
    });
    const last = await page(store, 'layer.diffVectors', `last: 2, before: "${fifth}"`);
    expect(idsOf(last)).toEqual(ids.slice(2, 4));
    expect(last.pageInfo).toMatchObject({ hasPreviousPage: true, hasNextPage: true });
    const none = await page(store, 'layer.diffVectors', `after: "${third}", before: "${third}"`);
    expect(none).toMatchObject({ edges: [], totalCount: 7 });
  });

  it('knows, past the last row, that rows precede', async () => {
    const store = seeded();
    const { pageInfo } = await page(store, 'layer.diffVectors', 'first: 200');
    const past = await page(store, 'layer.diffVectors', `after: "${pageInfo.endCursor}"`);
    expect(past.edges).toEqual([]);
    expect(past.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
  });

  it.each(['first: -1', 'first: 201', 'last: -1', 'last: 201', 'first: 2147483647'])(
    'refuses %s',
    async (args) => {
      expect(await errorCode(temporaryStore(), `{ runs(${args}) { totalCount } }`)).toBe('BAD_USER_INPUT');
    },
  );

  it('refuses a number of rows above 32 bits before anything is read', async () => {
    const { query } = await serve(temporaryStore());
    for (const body of [
      { query: '{ runs(first: 2147483648) { totalCount } }' },
      { query: 'query ($n: Int) { runs(first: $n) { totalCount } }', variables: { n: 2 ** 31 } },
    ]) {
      const response = await query(body);
      expect(response.status).toBe(400);
      const { errors, data } = (await response.json()) as { errors: object[]; data?: unknown };
      expect([errors.length, data]).toEqual([1, undefined]);
    }
  });

  it('refuses a cursor of another list, parent or filter', async () => {
    const store = seeded();
    const { pageInfo } = await page(store, 'organism.runs', 'first: 1');
    const cursor = pageInfo.endCursor;
    const code = (field: string) => errorCode(store, `{ ${field} }`);
    expect(await code(`organism(name: "organism-1") { runs(after: "${cursor}") { totalCount } }`)).toBe(
      'INVALID_CURSOR',
    );
    expect(
      await code(`organism(name: "tiny-cake") { runs(after: "${cursor}", methods: ["x"]) { totalCount } }`),
    ).toBe('INVALID_CURSOR');
    expect(await code(`runs(before: "${cursor}") { totalCount }`)).toBe('INVALID_CURSOR');
    expect(await code(`organisms(after: "${cursor}") { totalCount }`)).toBe('INVALID_CURSOR');
    expect(idsOf(await page(store, 'organism.runs', `after: "${cursor}", methods: null`))).toHaveLength(6);
  });

  it('refuses a cursor that nobody gave out', async () => {
    const store = seeded();
    const cursor = (await page(store, 'runs', 'first: 1')).pageInfo.endCursor!;
    const bytes = Buffer.from(cursor, 'base64url');
    const [seal, body] = [bytes.subarray(0, 16), bytes.subarray(16)];
    const forge = (content: Uint8Array, sealed = seal) =>
      Buffer.concat([sealed, content]).toString('base64url');
    expect(forge(body)).toBe(cursor);
    const forged = [
      '',
      'garbage',
      cursor.slice(1),
      cursor.slice(0, 10),
      `${cursor}=`,
      `${cursor} `,
      `${cursor}A`,
      cursor.replace(/.$/, (last) => String.fromCharCode(last.charCodeAt(0) ^ 1)),
      'x'.repeat(1_000_000),
      `${cursor}\0`,
      forge(Buffer.from(body).fill(0, 0, 1)),
      forge(body, Buffer.alloc(16)),
      forge(Buffer.alloc(0)),
      forge(Buffer.concat([body, body])),
      forge(Buffer.from('["2026-11-23T18:46:50.123Z","x"]')),
      Buffer.from('OffsetConnection:-50').toString('base64'),
    ];
    for (const after of forged) {
      const read = 'query ($after: String) { runs(after: $after) { totalCount } }';
      expect(await errorCode(store, read, { after }), after.slice(0, 60)).toBe('INVALID_CURSOR');
    }
  });

  it.each([0, 1])(
    'ends a request that reads more rows than were foreseen (short of the limit by %i)',
    async (spare) => {
      const store = temporaryStore();
      seedRun(store, { tokens: 20, layers: [0], positions: 1 }); // projections of 20 tokens
      const documents = new Documents(schema, 2 ** 20);
      const prepared =
        documents.prepare(`{ organism(name: "tiny-cake") { latestRun { layers(first: 9) { edges { node {
      diffVectors(first: 9) { edges { node { projections(first: 9) { edges { node {
        tokens(first: 20) { edges { node { rank } } } } } } } } } } } } } } }`);
      const whole = graphContext(store, 'http://127.0.0.1');
      await execute(schema, documents, { prepared, context: whole });
      const rows = whole.costLimit - whole.rowsLeft;
      expect(rows).toBe(1 + 1 + 2 + 2 * 20); // layer, vector, projections, tokens
      for (const _ of ['interpreted', 'compiled', 'compiled']) {
        const context = graphContext(store, 'http://127.0.0.1');
        context.rowsLeft = rows - 1 + spare;
        const { errors } = await execute(schema, documents, { prepared, context });
        expect(errors?.map(({ extensions }) => extensions['code'])).toEqual(
          spare === 0 ? ['COST_LIMIT_EXCEEDED'] : undefined,
        );
      }
    },
  );
});
