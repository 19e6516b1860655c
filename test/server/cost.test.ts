import {
  getNamedType,
  getNullableType,
  isCompositeType,
  isListType,
  isObjectType,
  type GraphQLField,
  type GraphQLObjectType,
} from 'graphql';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { heavy, nested } from '../../bench/api/queries.ts';
import { graphContext, schema } from '../../schema/index.ts';
import { maxCost } from '../../schema/limits.ts';
import { packageRoot } from '../../src/lib/package-root.ts';
import { costOf, isConnection } from '../../src/server/graph/cost.ts';
import { Documents } from '../../src/server/graph/documents.ts';
import { execute, weigh } from '../../src/server/graph/execute.ts';
import { exampleQuery } from '../../src/server/index.ts';
import { random } from '../harness/random.ts';
import { serve } from '../harness/serve.ts';
import { seedRun } from '../harness/synthetic-run.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const documents = new Documents(schema, 2 ** 24);
const page = (await import(join(packageRoot(), 'explorer/documents.js'))) as Record<string, string>;

/** What a query may cost with these variables. */
function cost(source: string, variables: Record<string, unknown> = {}): number {
  const prepared = documents.prepare(source);
  expect(prepared.errors).toEqual([]);
  const context = graphContext(temporaryStore(), 'http://127.0.0.1', { costLimit: Infinity });
  const weighed = weigh(schema, documents, { prepared, variables, context });
  expect(weighed.errors).toBeUndefined();
  return weighed.cost;
}

const objects = Object.values(schema.getTypeMap()).filter(
  (type): type is GraphQLObjectType => isObjectType(type) && !type.name.startsWith('__'),
);

it('every list says how long it is', () => {
  const silent = objects.flatMap((type) =>
    Object.values(type.getFields())
      .filter((field) => isListType(getNullableType(field.type)))
      .filter((field) => !(field.name === 'edges' && isConnection(type)))
      .filter((field) => {
        const { assumedSize, slicingArguments = [] } = costOf(field) ?? {};
        return assumedSize === undefined && slicingArguments.length === 0;
      })
      .map((field) => `${type.name}.${field.name}`),
  );
  expect(silent).toEqual([]);
});

it('every list that takes a filter counts its conditions', () => {
  const filtered = objects.flatMap((type) =>
    Object.values(type.getFields()).filter(({ args }) => args.some(({ name }) => name === 'where')),
  );
  expect(filtered.length).toBeGreaterThan(5);
  for (const field of filtered) expect(costOf(field)?.ofArguments, field.name).toBeTypeOf('function');
});

it('every argument that says how long a list is exists, and every connection can be paged', () => {
  for (const type of objects) {
    for (const field of Object.values(type.getFields())) {
      const names = field.args.map(({ name }) => name);
      for (const name of costOf(field)?.slicingArguments ?? []) expect(names, field.name).toContain(name);
      const named = getNamedType(field.type);
      if (isCompositeType(named) && isConnection(named))
        expect(names, field.name).toEqual(expect.arrayContaining(['first', 'last']));
    }
  }
});

describe('a query costs', () => {
  const runs = (args: string, inside = 'node { key }') => `{ runs${args} { edges { ${inside} } } }`;
  it.each<[string, number, string, Record<string, unknown>?]>([
    ['a point at least', 1, '{ __typename }'],
    ['a point for an object', 1, '{ run(key: "a") { key samples } }'],
    ['one for each object on the way', 3, '{ run(key: "a") { organism { baseModel { name } } } }'],
    ['a list, and its page of 50', 1 + 50, runs('')],
    ['as many as first says', 1 + 7, runs('(first: 7)')],
    ['as many as last says', 1 + 7, runs('(last: 7)')],
    ['the smaller of both', 1 + 3, runs('(first: 7, last: 3)')],
    ['a full page where the size cannot be', 1 + 200, runs('(first: 2147483647)')],
    ['nothing for a negative one', 1, runs('(first: -1)')],
    ['50 for null', 1 + 50, runs('(first: null)')],
    ['the rows where only their number is asked for', 1 + 7 + 10, '{ runs(first: 7) { totalCount } }'],
    ['page × row', 1 + 7 * (1 + 1), runs('(first: 7)', 'node { organism { name } }')],
    [
      'pages in pages',
      1 + 5 * (1 + 1 + 4 * (1 + 1 + 3)),
      '{ runs(first: 5) { edges { node { layers(first: 4) { edges { node { diffVectors(last: 3) { edges { cursor } } } } } } } } }',
    ],
    ['pageInfo', 1 + 2 + 1, '{ runs(first: 2) { pageInfo { hasNextPage } } }'],
    ['what a variable says', 1 + 9, `query ($n: Int) ${runs('(first: $n)')}`, { n: 9 }],
    ['its default', 1 + 8, `query ($n: Int = 8) ${runs('(first: $n)')}`],
    ['50 where it is absent', 1 + 50, `query ($n: Int) ${runs('(first: $n)')}`],
    ['50 where it is null', 1 + 50, `query ($n: Int = 8) ${runs('(first: $n)')}`, { n: null }],
    [
      'the layers that are named',
      1 + 1 + 2,
      '{ run(key: "a") { layers(layers: [3, 4]) { edges { cursor } } } }',
    ],
    [
      'the layers in a variable',
      1 + 1 + 3,
      'query ($l: [Int!]) { run(key: "a") { layers(layers: $l, first: 50) { edges { cursor } } } }',
      { l: [1, 2, 3] },
    ],
    [
      'one for one value in place of a list',
      1 + 1 + 1,
      '{ run(key: "a") { layers(layers: 3) { edges { cursor } } } }',
    ],
    ['as many as there are ids', 3, '{ nodes(ids: ["a", "b", "c"]) { id } }'],
    ['the ids of a variable', 4, 'query ($i: [ID!]!) { nodes(ids: $i) { id } }', { i: ['a', 'b', 'c', 'd'] }],
    [
      'the dearest type that a node may be',
      2 + 1 + 50,
      '{ node(id: "a") { ... on Run { organism { name } } ... on Organism { baseModel { name } runs { edges { cursor } } } } }',
    ],
    ['nothing for types that cannot be', 1, '{ run(key: "a") { ... on Node { id } } }'],
    [
      'aliases, each',
      2 * (1 + 5),
      '{ a: runs(first: 5) { edges { cursor } } b: runs(first: 5) { edges { cursor } } }',
    ],
    [
      'fragments, where they are',
      1 + 5 * (1 + 1),
      '{ runs(first: 5) { ...f } } fragment f on RunConnection { edges { ...g } } fragment g on RunEdge { node { ...h } } fragment h on Run { organism { name } }',
    ],
    ['nothing for a comparison', 1 + 5, runs('(first: 5, where: { samples: { gt: 3 } })', 'cursor')],
    [
      'a page for each condition on other rows, equal ones once',
      1 + 5 + 3 * 50,
      runs(
        '(first: 5, where: { or: [{ topTokens: { text: "a" } }, { not: { topTokens: { text: "a" } } }, { topTokens: { text: "b" } }, { organism: { topTokens: { text: "a" } } }] })',
        'cursor',
      ),
    ],
    [
      'those of a variable, those in each other',
      1 + 5 + 2 * 50,
      `query ($w: RunFilter) ${runs('(first: 5, where: $w)', 'cursor')}`,
      { w: { diffVectors: { some: { topTokens: { text: 'a' } } } } },
    ],
    [
      'those with a variable in them, in each row',
      1 + 4 * (1 + 1 + 50 + 5),
      'query ($t: String!) { organisms(first: 4) { edges { node { runs(first: 5, where: { topTokens: { text: $t } }) { edges { cursor } } } } } }',
      { t: 'a' },
    ],
    [
      'a search, and what it asks of projections',
      1 + 50 + 50 + 5,
      '{ tokenSearch(text: "a", first: 5, where: { diffVector: { run: { topTokens: { text: "b" } } } }) { edges { cursor } } }',
    ],
    ['nothing that is skipped', 1, '{ __typename runs @skip(if: true) { totalCount } }'],
    ['nothing that is not included', 1, '{ __typename ... @include(if: false) { runs { totalCount } } }'],
    ['what is not skipped', 61, 'query ($s: Boolean!) { runs @skip(if: $s) { totalCount } }', { s: false }],
    [
      'nothing that a variable skips',
      1,
      'query ($s: Boolean!) { runs @skip(if: $s) { totalCount } }',
      { s: true },
    ],
    [
      'nothing where one of two directives says so',
      1,
      'query ($s: Boolean!) { runs @include(if: $s) @skip(if: true) { totalCount } }',
      { s: true },
    ],
    ['base64 by 4 KiB', 2 + 16, '{ diffVector(key: "a") { diff { dataBase64 } } }'],
    [
      'a hundredth for each value of a list',
      1 + 1 + 1 + 1,
      '{ diffVector(key: "a") { principalComponents(first: 1) { edges { node { explained } } } } }',
    ],
    [
      'a search, and as many neighbours as asked for',
      1 + 500 + 8,
      '{ diffVector(key: "a") { neighbours(first: 8) { cosine } } }',
    ],
  ])('%s: %i', (_, points, source, variables) => expect(cost(source, variables)).toBe(points));

  it('ten for a mutation, on top of what it answers', () => {
    const source =
      'mutation { tagAdd(input: { subject: "a", tag: "b" }) { subject { __typename } userErrors { code } } }';
    expect(cost(source)).toBe(10 + 1 + 1);
  });

  it('what the nested query of 1,000 leaves costs is within everybody’s limit', () => {
    expect(cost(nested)).toBe(1 + 10 * (1 + 1 + 1 + 10 * (1 + 1 + 1 + 1 + 10)));
    expect(cost(nested)).toBeLessThan(maxCost.anonymous);
    expect(cost(heavy)).toBeLessThan(maxCost.known);
  });

  it('what the page and GraphiQL ask for is within everybody’s limit', () => {
    for (const [name, source] of Object.entries({ ...page, exampleQuery }))
      expect(cost(source, { key: '', run: '', name: '' }), name).toBeLessThan(maxCost.anonymous);
  });

  it('counts a fragment that is spread often in each place, looking at it once', () => {
    const levels = 5;
    const bomb = `{ ...f0 } ${Array.from({ length: levels }, (_, i) => `fragment f${i} on Query { ...f${i + 1} ...f${i + 1} }`).join(' ')}
      fragment f${levels} on Query { run(key: "a") { key } }`;
    expect(cost(bomb)).toBe(2 ** levels);
  });
});

it('never reads more rows than it said it might', async () => {
  const store = temporaryStore();
  for (const [i, name] of ['tiny-cake', 'tiny-tea', 'tiny-pie'].entries())
    seedRun(store, { organism: name, tokens: 5, layers: [0, 1, 2], positions: 4, seed: i } as never);
  const { key } = store.runs.all.page(null, {}, { first: 1 }).rows[0] ?? { key: '' };
  const next = random(7);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const measured = new Set(['compare', 'sharedTokens']); // by what is there, with a second limit

  function selection(type: GraphQLObjectType, depth: number): string {
    const all = Object.values(type.getFields()).filter(({ name }) => !measured.has(name));
    const chosen = Array.from({ length: 1 + Math.floor(next() * 4) }, () => pick(all))
      .map((field) => fieldText(field, depth))
      .filter((text) => text !== undefined);
    return `{ __typename ${[...new Set(chosen)].join(' ')} }`;
  }
  function fieldText(field: GraphQLField<unknown, unknown>, depth: number): string | undefined {
    if (field.args.some((arg) => String(arg.type).endsWith('!') && arg.defaultValue === undefined))
      return undefined;
    const type = getNamedType(field.type);
    const paged = field.args.some(({ name }) => name === 'first') ? `(first: ${Math.floor(next() * 6)})` : '';
    if (!isCompositeType(type)) return `${field.name}${paged.replace('0', '1')}`;
    if (!isObjectType(type) || depth === 0) return undefined;
    const alias = `f${Math.floor(next() * 1e9)}: `;
    return `${paged ? alias : ''}${field.name}${paged} ${selection(type, depth - 1)}`;
  }

  let [asked, read] = [0, 0];
  const query = schema.getQueryType()!.getFields();
  for (let i = 0; i < 300; i++) {
    const root = i % 3 === 0 ? pick(['runs', 'organisms', 'diffVectors', 'projections']) : 'run';
    const type = getNamedType(query[root]!.type) as GraphQLObjectType;
    const source = `{ ${root}${root === 'run' ? `(key: "${key}")` : '(first: 3)'} ${selection(type, 7)} }`;
    const prepared = documents.prepare(source);
    if (prepared.errors.length > 0) continue; // two fields of one name that differ, or too many aliases
    const context = graphContext(store, 'http://127.0.0.1', { costLimit: 1e9 });
    const { cost: most } = weigh(schema, documents, { prepared, context });
    const { errors } = await execute(schema, documents, { prepared, context });
    expect(errors, source).toBeUndefined();
    const rows = context.costLimit - context.rowsLeft;
    expect(rows, source).toBeLessThanOrEqual(most);
    asked++;
    read += rows;
  }
  expect(asked).toBeGreaterThan(150);
  expect(read).toBeGreaterThan(500);
});

it('what is executed twice is counted twice, and a query that failed is not tried as a function again', async () => {
  const store = temporaryStore();
  seedRun(store);
  const { url } = await serve(store);
  const actual = async (size: number) => {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Cost': '1' },
      body: JSON.stringify({
        query:
          'query ($n: Int) { good: diffVectors(first: 3) { edges { cursor } } other: diffVectors(first: $n) { edges { cursor } } }',
        variables: { n: size },
      }),
    });
    const { errors, extensions } = (await response.json()) as {
      errors?: unknown[];
      extensions: { cost: { actual: number } };
    };
    return [errors?.length ?? 0, extensions.cost.actual];
  };
  expect(await actual(1)).toEqual([0, 4]);
  expect(await actual(1)).toEqual([0, 4]); // as a function
  expect(await actual(999)).toEqual([1, 6]); // as a function, then by the judge
  expect(await actual(999)).toEqual([1, 3]); // by the judge
  expect(await actual(2)).toEqual([0, 5]);
  expect(await actual(999)).toEqual([1, 6]); // it has gone well in between
});

describe('above the limit', () => {
  const tooMuch = `query ($n: Int) { runs(first: $n) { edges { node { layers(first: $n) { edges { node { diffVectors(first: $n) { edges { cursor } } } } } } } } }`;

  it.each([true, false])('a query is refused before anything is read (short way: %s)', async (plainPost) => {
    const { query } = await serve(temporaryStore(), { plainPost });
    for (const _ of ['first', 'again']) {
      const response = await query({ query: tooMuch, variables: { n: 100 } });
      expect(response.status).toBe(400);
      const requested = 1 + 100 * (1 + 1 + 100 * (1 + 1 + 100));
      expect(await response.json()).toEqual({
        errors: [
          {
            message: `This query may cost ${requested} points and the most is 20000; say a smaller first in inner lists, and ask for the rest by pages.`,
            extensions: {
              code: 'COST_LIMIT_EXCEEDED',
              requested,
              limit: 20_000,
              retryable: false,
              requestId: response.headers.get('x-request-id'),
            },
          },
        ],
      });
      expect((await query({ query: tooMuch, variables: { n: 10 } })).status).toBe(200);
    }
  });
});
