import { describe, expect, it } from 'vitest';
import { errorCode, execute } from '../harness/ask.ts';
import {
  type Condition,
  diffVectorFields,
  gradeFields,
  graderFields,
  type Fields,
  matches,
  organismFields,
  projectionFields,
  randomCondition,
  runFields,
} from '../harness/graph-model/filters.ts';
import { lists } from '../harness/graph-model/lists.ts';
import { populate } from '../harness/graph-model/populate.ts';
import { random } from '../harness/random.ts';
import { serve } from '../harness/serve.ts';
import { seedOrganism } from '../harness/synthetic-run.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

interface Answer {
  data?: unknown;
  errors?: { message: string; extensions: Record<string, unknown> }[];
}

/** Comparisons of a condition, as the limit counts them. */
function leaves(part: unknown): number {
  if (Array.isArray(part)) return part.reduce<number>((sum, one) => sum + leaves(one), 0);
  if (typeof part !== 'object' || part === null) return part === null ? 0 : 1;
  return Object.entries(part).reduce(
    (sum, [name, one]) => sum + (name === 'in' || name === 'topTokens' ? 1 : leaves(one)),
    0,
  );
}

const conditions = 250;

describe.each<[string, string, Fields]>([
  ['organisms', 'OrganismFilter', organismFields],
  ['runs', 'RunFilter', runFields],
  ['diffVectors', 'DiffVectorFilter', diffVectorFields],
  ['projections', 'ProjectionFilter', projectionFields],
  ['grades', 'GradeFilter', gradeFields],
  ['graders', 'GraderFilter', graderFields],
])('where of %s', (field, type, fields) => {
  const list = lists.find(({ name }) => name === `Query.${field}`)!;
  const read = `query ($where: ${type}) { ${field}(where: $where, first: 200) { totalCount edges { node { id } } } }`;

  it(`holds what a plain filter keeps, in ${conditions} random conditions`, async () => {
    const seed = Number(process.env['DELTASCOPE_SEED'] ?? 3);
    const next = random(seed);
    const { world, main } = populate(next);
    const used = new Set<string>();
    const rows = list.rows(world, main);
    let some = 0;
    for (let n = 0; n < conditions; n++) {
      let where: Condition;
      do
        where = randomCondition(world, fields, {
          random: next,
          rows,
          depth: 3,
          used: (what) => used.add(what),
        });
      while (leaves(where) > 50);
      const kept = rows.filter((row) => matches(world, row, where, fields)).map(list.identity.of);
      if (kept.length > 0 && kept.length < rows.length) some++;
      const { data, errors } = await execute(world.store, read, { where });
      const found = errors ?? {
        ids: data?.[field].edges.map(({ node }: { node: { id: string } }) => node.id).sort(),
        totalCount: data?.[field].totalCount,
      };
      expect({ seed, n, where, found }).toEqual({
        seed,
        n,
        where,
        found: { ids: kept.sort(), totalCount: kept.length },
      });
    }
    expect(some).toBeGreaterThan(conditions / 10); // neither everything nor nothing
    const own = Object.entries(fields).filter(
      ([, { kind }]) => !['above', 'vectors', 'tokens', 'grades'].includes(kind),
    );
    expect(own.filter(([name]) => ![...used].some((what) => what.startsWith(`${name}.`)))).toEqual([]);
  });

  it('takes the deepest and longest condition allowed and refuses one that is deeper or longer', async () => {
    const store = temporaryStore();
    const deep = (levels: number): Condition => (levels === 0 ? {} : { not: deep(levels - 1) });
    const name = Object.keys(fields).find((known) => fields[known]?.kind === 'text');
    const whole = Object.keys(fields).find((known) => fields[known]?.kind === 'whole');
    const leaf = name ? { [name]: { eq: 'x' } } : { [whole!]: { eq: 1 } };
    const long = (count: number): Condition => ({ or: Array.from({ length: count }, () => leaf) });
    for (const where of [deep(3), long(50)]) {
      expect((await execute(store, read, { where })).errors).toBeUndefined();
    }
    const tenByFifty = { or: Array.from({ length: 10 }, () => long(50)) };
    for (const where of [deep(4), long(51), tenByFifty]) {
      expect(await errorCode(store, read, { where })).toBe('BAD_USER_INPUT');
    }
  });
});

it('counts some as a level, so conditions on vectors do not lie in each other without end', async () => {
  const store = temporaryStore();
  const nested = (levels: number): Condition =>
    levels === 0 ? {} : { diffVectors: { some: { run: nested(levels - 1) } } };
  const read = 'query ($where: RunFilter) { runs(where: $where) { totalCount } }';
  expect((await execute(store, read, { where: nested(3) })).errors).toBeUndefined();
  expect(await errorCode(store, read, { where: nested(4) })).toBe('BAD_USER_INPUT');
});

it.each(['%', '_', '%_%_%', '\\', '*', '"', '"" OR "x', "'; drop table organisms; --", '\0', '\ud800'])(
  'takes %j for the text that it is',
  async (text) => {
    const { world } = populate(random(9));
    const rows = world.rows('organisms');
    for (const operator of ['eq', 'contains', 'startsWith']) {
      const where = { name: { [operator]: text } };
      const { data } = await execute(
        world.store,
        'query ($where: OrganismFilter) { organisms(where: $where) { totalCount } }',
        { where },
      );
      expect([operator, data?.['organisms'].totalCount]).toEqual([
        operator,
        rows.filter((row) => matches(world, row, where, organismFields)).length,
      ]);
    }
    for (const match of ['EXACT', 'STARTS_WITH', 'CONTAINS']) {
      const { data, errors } = await execute(
        world.store,
        'query ($text: String!, $match: TokenMatch!) { tokenSearch(text: $text, match: $match, top: 200) { totalCount } }',
        { text, match },
      );
      expect(errors).toBeUndefined();
      const texts = world
        .rows('projection_tokens')
        .filter(({ columns }) => Number(columns['rank']) < 200)
        .map(({ columns }) => columns['text']);
      const found = texts.filter((one) => {
        if (typeof one !== 'string') return false;
        if (match === 'CONTAINS') return one.includes(text);
        return match === 'EXACT' ? one === text : one.startsWith(text);
      });
      expect([match, data?.['tokenSearch'].totalCount]).toEqual([match, found.length]);
    }
  },
);

it('startsWith compares all of a text, also behind a NUL', async () => {
  const store = temporaryStore();
  for (const name of ['ab', 'a\0b', 'a\0c', '𝔘\0c']) seedOrganism(store, name);
  const named = async (startsWith: string) => {
    const read =
      'query ($where: OrganismFilter) { organisms(where: $where, orderBy: { field: NAME, direction: ASC }) { edges { node { name } } } }';
    const { data } = await execute(store, read, { where: { name: { startsWith } } });
    return data?.['organisms'].edges.map(({ node }: { node: { name: string } }) => node.name) as unknown;
  };
  expect(await named('a\0b')).toEqual(['a\0b']);
  expect(await named('a\0')).toEqual(['a\0b', 'a\0c']);
  expect(await named('\0')).toEqual([]);
  expect(await named('𝔘\0')).toEqual(['𝔘\0c']);
  expect(await named('')).toHaveLength(4);
});

describe('a time in a filter', () => {
  const answer = async (literal: string, times = 1) => {
    const store = temporaryStore();
    seedOrganism(store);
    const { query } = await serve(store);
    const source = `{ organisms(where: { createdAt: ${literal} }) { totalCount } }`;
    for (let n = 1; n < times; n++) await query({ query: source });
    const response = await query({ query: source });
    return { status: response.status, ...((await response.json()) as Answer) };
  };

  it('is the moment that it is, whatever its offset', async () => {
    const store = temporaryStore();
    const { organism } = seedOrganism(store);
    const { query } = await serve(store);
    const source = 'query ($where: OrganismFilter) { organisms(where: $where) { totalCount } }';
    const clock = new Date(Date.parse(organism.createdAt) - 5 * 3_600_000).toISOString().slice(0, -1);
    const count = async (createdAt: object): Promise<unknown> => {
      const response = await query({ query: source, variables: { where: { createdAt } } });
      return ((await response.json()) as Answer).data;
    };
    const one = { organisms: { totalCount: 1 } };
    const none = { organisms: { totalCount: 0 } };
    for (let times = 0; times < 3; times++) {
      // compiled from its second use on
      expect(await count({ eq: `${clock}-05:00` })).toEqual(one);
      expect(await count({ in: [`${clock}-05:00`] })).toEqual(one);
      expect(await count({ lt: `${clock}1-05:00` })).toEqual(one);
      expect(await count({ lt: `${clock}-05:00` })).toEqual(none);
      expect(await count({ gt: `${clock}-05:30` })).toEqual(none);
    }
    expect(await answer('{ gt: "2020-01-01T00:00:00+14:00" }', 3)).toEqual({ status: 200, data: one });
  });

  it.each(['"yesterday"', '"2026-11-28"', '5', '"2026-02-30T00:00:00Z"'])('is not %s', async (literal) => {
    const { status, errors } = await answer(`{ gt: ${literal} }`);
    expect([status, errors?.map(({ message, extensions }) => [message, extensions['code']])]).toEqual([
      400,
      [
        [
          `A DateTime is an RFC 3339 time with its offset, such as "2026-11-23T18:46:50.123Z", not ${literal}.`,
          'BAD_USER_INPUT',
        ],
      ],
    ]);
    const store = temporaryStore();
    const where = { createdAt: { in: [JSON.parse(literal)] } };
    const source = 'query ($where: OrganismFilter) { organisms(where: $where) { totalCount } }';
    expect(await errorCode(store, source, { where })).toBe('BAD_USER_INPUT');
  });
});
