import { describe, expect, it } from 'vitest';
import { graphContext, schema } from '../../schema/index.ts';
import { Documents } from '../../src/server/graph/documents.ts';
import { execute as executeAsServer } from '../../src/server/graph/execute.ts';
import {
  type Condition,
  matches,
  projectionFields,
  randomCondition,
  textMatches,
} from '../harness/graph-model/filters.ts';
import { type List, lists, listsOfSchema, pageQuery, type Term } from '../harness/graph-model/lists.ts';
import { populate, type Populated } from '../harness/graph-model/populate.ts';
import { at, compareValues, type Row, type Value } from '../harness/graph-model/world.ts';
import { random } from '../harness/random.ts';

const walks = Number(process.env['DELTASCOPE_WALKS'] ?? 10_000);
const documents = new Documents(schema, 64 * 2 ** 20);

interface PageOf {
  totalCount?: number;
  pageInfo: {
    hasNextPage: boolean;
    hasPreviousPage: boolean;
    startCursor: string | null;
    endCursor: string | null;
  };
  edges: { cursor: string; node: Record<string, string> }[];
}
type Key = Value[];

// No table, and some whose rows cannot be taken away under a reader: test/graphql/agents.test.ts walks those.
const elsewhere = ['AdapterCheck.modules', 'AgentRun.messages', 'AgentRun.hypotheses', 'Hypothesis.grades'];

it('knows every list of the schema', () => {
  // The modules of an adapter are an array in a row, which nobody changes: test/graphql/certificate.test.ts reads them.
  expect([...lists.map(({ name }) => name), ...elsewhere].sort()).toEqual(listsOfSchema().sort());
});

/** Nulls last in both directions, what is equal by the next term. */
function compareKeys(a: Key, b: Key, terms: readonly Term[]): number {
  for (const [i, { descending }] of terms.entries()) {
    const [one = null, other = null] = [a[i], b[i]];
    if (one === null || other === null) {
      if (one !== other) return one === null ? 1 : -1;
      continue;
    }
    const order = compareValues(one, other);
    if (order !== 0) return descending ? -order : order;
  }
  return 0;
}

/** One list as it is asked for: with conditions, an order, and what it should hold of that at a moment. */
interface Asked {
  list: List;
  variables: Record<string, unknown>;
  terms: Term[];
  holds: (row: Row) => boolean;
}

/** Asks for a list in a random way. */
function randomList(
  { world, main, pick }: Populated,
  list: List,
  next: () => number,
  used: (what: string) => void,
): Asked {
  const conditions: ((row: Row) => boolean)[] = [];
  const variables: Record<string, unknown> = { ...list.always };
  const terms: Term[] = [];
  for (const [name, argument] of Object.entries(list.arguments ?? {})) {
    if (next() < 0.7) continue;
    const value = pick(argument.values);
    variables[name] = value;
    used(`${list.name}(${name}: ${JSON.stringify(value)})`);
    if (value !== null) conditions.push((row) => argument.holds(row, value as never));
  }
  if (list.search) {
    const search = pick(list.search);
    Object.assign(variables, search);
    conditions.push(
      (row) => textMatches(at(row, 'text'), search) && Number(at(row, 'rank')) < Number(search['top']),
    );
  }
  if (list.where && next() < 0.4) {
    const fields = list.where;
    const ofProjection = fields === projectionFields && list.table === 'projection_tokens';
    const subject = (row: Row) => (ofProjection ? row.up['projection']! : row);
    const where: Condition = randomCondition(world, fields, {
      random: next,
      rows: list.rows(world, main).map(subject),
      depth: 1,
    });
    variables['where'] = where;
    conditions.push((row) => matches(world, subject(row), where, fields));
  }
  if (list.orders && next() < 0.8) {
    const names = Array.from({ length: Math.floor(next() * 4) }, () => pick(Object.keys(list.orders!)));
    const orderBy = names.map((field) => ({ field, direction: pick(['ASC', 'DESC']) }));
    variables['orderBy'] = orderBy;
    for (const { field, direction } of orderBy) {
      used(`${list.name}(orderBy: ${field} ${direction})`);
      terms.push({ value: list.orders[field]!, descending: direction === 'DESC' });
    }
  }
  return {
    list,
    variables,
    terms: [...terms, ...list.order],
    holds: (row) => conditions.every((holds) => holds(row)),
  };
}

/** The rows of a list in their order, each with what it is ordered by. */
function inOrder({ world, main }: Populated, { list, terms, holds }: Asked): { row: Row; key: Key }[] {
  return list
    .rows(world, main)
    .filter(holds)
    .map((row) => ({ row, key: terms.map(({ value }) => value(row)) }))
    .sort((a, b) => compareKeys(a.key, b.key, terms));
}

interface PageRequest {
  first?: number | null;
  last?: number | null;
  after?: string | null;
  before?: string | null;
}

/** Reads a page and demands of it all that the model says: rows, order, flags, cursors and count. */
class Reader {
  readonly #documents = new Map<List, string>();
  /** What was at a cursor when it was given out. */
  readonly #places = new Map<string, Key>();
  readonly #populated: Populated;

  constructor(populated: Populated) {
    this.#populated = populated;
  }

  async page(asked: Asked, request: PageRequest, all: boolean): Promise<{ answer: PageOf; rows: Row[] }> {
    const { list, terms, variables } = asked;
    const { world, main } = this.#populated;
    const known = this.#documents.get(list) ?? pageQuery(list, main);
    this.#documents.set(list, known);
    const result = await executeAsServer(schema, documents, {
      prepared: documents.prepare(known),
      variables: { ...variables, ...request, all },
      context: graphContext(world.store, 'http://127.0.0.1:4680'),
    });
    const { data, errors } = result as { data?: Record<string, unknown>; errors?: readonly Error[] };
    if (errors)
      throw new Error(`${list.name} ${JSON.stringify({ ...variables, ...request })}: ${errors.join('; ')}`);
    const [, field = ''] = list.name.split('.');
    const answer = [...list.path, field].reduce<unknown>(
      (at, step) => (at as Record<string, unknown>)[step],
      data,
    ) as PageOf;

    const whole = inOrder(this.#populated, asked);
    const placeOf = (cursor: string | null | undefined) => (cursor ? this.#places.get(cursor) : undefined);
    const [after, before] = [placeOf(request.after), placeOf(request.before)];
    const within = whole.filter(
      ({ key }) =>
        (!after || compareKeys(key, after, terms) > 0) && (!before || compareKeys(key, before, terms) < 0),
    );
    const forward = typeof request.first === 'number' || typeof request.last !== 'number';
    const first = request.first ?? (forward ? 50 : Infinity);
    const last = request.last ?? Infinity;
    const cut = within.slice(0, first);
    const kept = cut.slice(Math.max(0, cut.length - last));
    const [start, end] = [kept[0]?.key ?? after, kept.at(-1)?.key ?? before];
    const precedes = (edge: Key) =>
      whole.some(({ key }) => compareKeys(key, edge, terms) < (kept.length ? 0 : 1));
    const follows = (edge: Key) =>
      whole.some(({ key }) => compareKeys(key, edge, terms) > (kept.length ? 0 : -1));
    const expected = {
      ...(all && { totalCount: whole.length }),
      nodes: kept.map(({ row }) => list.identity.of(row)),
      pageInfo: {
        hasNextPage: forward ? within.length > first : before !== undefined && follows(end!),
        hasPreviousPage: forward
          ? cut.length > kept.length || (after !== undefined && precedes(start!))
          : within.length > last,
        startCursor: all ? (answer.edges[0]?.cursor ?? null) : answer.pageInfo.startCursor,
        endCursor: all ? (answer.edges.at(-1)?.cursor ?? null) : answer.pageInfo.endCursor,
      },
    };
    const { edges, ...rest } = answer;
    const found = { ...rest, nodes: edges.map(({ node }) => node[list.identity.field]!) };
    if (JSON.stringify(sorted(found)) !== JSON.stringify(sorted(expected))) {
      expect({ list: list.name, variables, request, ...found }).toEqual({
        list: list.name,
        variables,
        request,
        ...expected,
      });
    }
    const { startCursor, endCursor } = answer.pageInfo;
    if (startCursor !== null) this.#places.set(startCursor, kept[0]!.key);
    if (endCursor !== null) this.#places.set(endCursor, kept.at(-1)!.key);
    if (all) edges.forEach(({ cursor }, i) => this.#places.set(cursor, kept[i]!.key));
    return { answer, rows: kept.map(({ row }) => row) };
  }

  /** Cursors given out since the last walk; what they stood for may be gone. */
  get cursors(): readonly string[] {
    return [...this.#places.keys()];
  }

  forget(): void {
    this.#places.clear();
  }
}

const sorted = ({
  nodes,
  pageInfo,
  totalCount,
}: {
  nodes: string[];
  pageInfo: PageOf['pageInfo'];
  totalCount?: number;
}) => [
  nodes,
  pageInfo.hasNextPage,
  pageInfo.hasPreviousPage,
  pageInfo.startCursor,
  pageInfo.endCursor,
  totalCount,
];

/** Rows of a list, and of its whole table, at which it grows and shrinks. */
const few = 8;
const many = 40;

/** Inserts or deletes a row of the list's table, as often the row under the cursor as not. */
function change(
  { world, main, spawn, pick }: Populated,
  { list }: Asked,
  under: Row | undefined,
  next: () => number,
): Row | undefined {
  const removable = (rows: readonly Row[]) => rows.filter(({ children }) => children === 0);
  const [there, everywhere] = [removable(list.rows(world, main)), removable(world.rows(list.table))];
  if (there.length < few || (everywhere.length < many && next() < 0.5)) return void spawn(list.table);
  const gone = under && there.includes(under) && next() < 0.5 ? under : pick(everywhere);
  world.remove(gone);
  return gone;
}

/** Any sizes, and any cursors that were given out. */
function anyPage(cursors: readonly string[], next: () => number): PageRequest {
  const maybe = <T>(value: () => T): T | null => (next() < 0.5 ? value() : null);
  const size = () => Math.floor(next() * 10);
  const cursor = () => cursors[Math.floor(next() * cursors.length)] ?? null;
  return { first: maybe(size), last: maybe(size), after: maybe(cursor), before: maybe(cursor) };
}

/** One walk from end to end. */
async function walk(reader: Reader, populated: Populated, asked: Asked, next: () => number): Promise<void> {
  const forward = next() < 0.5;
  const size = () => 1 + Math.floor(next() * (next() < 0.1 ? 200 : 16));
  const restless = next() < 0.7;
  const before = new Set(inOrder(populated, asked).map(({ row }) => row));
  const gone = new Set<Row>();
  const seen: Row[] = [];
  let pages = 0;
  for (let cursor: string | null = null, more = true; more;) {
    if (++pages > 500) throw new Error(`${asked.list.name} ${JSON.stringify(asked.variables)} does not end`);
    const request: PageRequest = forward
      ? { first: size(), after: cursor }
      : { last: size(), before: cursor };
    const { answer, rows } = await reader.page(asked, request, next() < 0.25);
    seen.push(...(forward ? rows : [...rows].reverse()));
    const { pageInfo } = answer;
    more = forward ? pageInfo.hasNextPage : pageInfo.hasPreviousPage;
    cursor = (forward ? pageInfo.endCursor : pageInfo.startCursor) ?? cursor;
    if (next() < 0.15) await reader.page(asked, anyPage(reader.cursors, next), next() < 0.25);
    while (restless && next() < 0.4) {
      const removed = change(populated, asked, forward ? rows.at(-1) : rows[0], next);
      if (removed) gone.add(removed);
    }
  }
  const stayed = [...before].filter((row) => !gone.has(row));
  const times = (row: Row) => seen.filter((one) => one === row).length;
  if (new Set(seen).size !== seen.length || stayed.some((row) => times(row) !== 1)) {
    throw new Error(
      `${asked.list.name} ${JSON.stringify(asked.variables)}: a row that stays was lost or doubled`,
    );
  }
}

it(`loses and doubles no row in ${walks} walks, with rows that come and go in between`, async () => {
  const seed = Number(process.env['DELTASCOPE_SEED'] ?? 5);
  const next = random(seed);
  const populated = populate(next);
  const reader = new Reader(populated);
  const used = new Set<string>();
  let now = '';
  try {
    for (let n = 0; n < walks; n++) {
      const list = lists[n % lists.length]!;
      const asked = randomList(populated, list, next, (what) => used.add(what));
      now = `walk ${n} of seed ${seed}`;
      await walk(reader, populated, asked, next);
      reader.forget();
    }
  } catch (error) {
    throw new Error(`${now}: ${String(error)}`, { cause: error });
  }
  const orders = lists.flatMap(({ name, orders = {} }) =>
    Object.keys(orders).flatMap((field) => ['ASC', 'DESC'].map((way) => `${name}(orderBy: ${field} ${way})`)),
  );
  const values = lists.flatMap(({ name, arguments: all = {} }) =>
    Object.entries(all).flatMap(([argument, of]) =>
      of.values.map((value) => `${name}(${argument}: ${JSON.stringify(value)})`),
    ),
  );
  expect([...orders, ...values].filter((what) => !used.has(what))).toEqual([]);
}, 300_000);

const ids = (rows: readonly Row[]): number[] => rows.map(({ id }) => id);

/** All rows of a list by pages of this size. */
async function byPages(reader: Reader, asked: Asked, way: 'first' | 'last', size: number): Promise<Row[]> {
  const read: Row[] = [];
  for (let cursor: string | null = null, more = true; more;) {
    const forward = way === 'first';
    const { answer, rows } = await reader.page(
      asked,
      { [way]: size, [forward ? 'after' : 'before']: cursor },
      false,
    );
    if (forward) read.push(...rows);
    else read.unshift(...rows);
    const { hasNextPage, hasPreviousPage, startCursor, endCursor } = answer.pageInfo;
    [more, cursor] = forward ? [hasNextPage, endCursor] : [hasPreviousPage, startCursor];
  }
  return read;
}

describe.each(lists)('$name', (list) => {
  const orders = Object.keys(list.orders ?? {}).flatMap((field) => [
    { field, direction: 'ASC' },
    { field, direction: 'DESC' },
  ]);

  it('reads by pages what it reads at once, in every order, forwards and backwards', async () => {
    const populated = populate(random(7));
    const reader = new Reader(populated);
    for (const order of [null, ...orders]) {
      const search = list.search?.[0] ?? {};
      const asked: Asked = {
        list,
        variables: { ...list.always, ...search, ...(list.orders && { orderBy: order && [order] }) },
        terms: [
          ...(order ? [{ value: list.orders![order.field]!, descending: order.direction === 'DESC' }] : []),
          ...list.order,
        ],
        holds: (row) => !list.search || textMatches(at(row, 'text'), search),
      };
      const { rows } = await reader.page(asked, { first: 200 }, true);
      expect(rows.length).toBeGreaterThan(2);
      for (const size of [1, 7]) {
        expect(ids(await byPages(reader, asked, 'first', size))).toEqual(ids(rows));
        expect(ids(await byPages(reader, asked, 'last', size))).toEqual(ids(rows));
      }
    }
  });
});

it.each([
  ['equal', 1],
  ['null', null],
])('reads 1,000 rows of %s sort values once each, both ways', async (_, norm) => {
  const populated = populate(random(11));
  const { world, main } = populated;
  for (let n = 0; n < 1_000; n++) {
    world.add('diff_vectors', { position: world.fresh(), norm }, { layer: main.layer });
  }
  const list = lists.find(({ name }) => name === 'Query.diffVectors')!;
  const reader = new Reader(populated);
  for (const direction of ['ASC', 'DESC']) {
    const asked: Asked = {
      list,
      variables: { orderBy: [{ field: 'NORM', direction }], where: { position: { gte: 0 } } },
      terms: [{ value: list.orders!['NORM']!, descending: direction === 'DESC' }, ...list.order],
      holds: () => true,
    };
    const all = inOrder(populated, asked).map(({ row }) => row);
    expect(all.length).toBeGreaterThan(1_000);
    expect(ids(await byPages(reader, asked, 'first', 97))).toEqual(ids(all));
    expect(ids(await byPages(reader, asked, 'last', 200))).toEqual(ids(all));
  }
});
