import { describe, expect, it } from 'vitest';
import { graphContext, schema } from '../../schema/index.ts';
import { Documents } from '../../src/server/graph/documents.ts';
import { execute } from '../../src/server/graph/execute.ts';
import { type List, lists, pageQuery } from '../harness/graph-model/lists.ts';
import { populate, type Populated } from '../harness/graph-model/populate.ts';
import { random } from '../harness/random.ts';
import { serve } from '../harness/serve.ts';

const documents = new Documents(schema, 2 ** 26);

/** What a page of a list is answered with: its cursors, or the code of the one error. */
async function read({ world, main }: Populated, list: List, variables: Record<string, unknown> = {}) {
  const { data, errors } = await execute(schema, documents, {
    prepared: documents.prepare(pageQuery(list, main)),
    variables: { all: true, ...list.always, ...list.search?.[0], ...variables },
    context: graphContext(world.store, 'http://127.0.0.1:4680'),
  });
  if (errors) return { codes: errors.map(({ extensions }) => extensions['code']), data };
  const [, field = ''] = list.name.split('.');
  const page = [...list.path, field].reduce<unknown>(
    (at, step) => (at as Record<string, unknown>)[step],
    data,
  ) as { edges: { cursor: string }[] };
  return { cursors: page.edges.map(({ cursor }) => cursor) };
}

const refused = { codes: ['INVALID_CURSOR'] };

/** Texts that are no cursor of any list, made of one that is. */
function forged(cursor: string): [string, string][] {
  const bytes = Buffer.from(cursor, 'base64url');
  const [seal, body] = [bytes.subarray(0, 16), bytes.subarray(16)];
  const sealed = (content: Uint8Array) => Buffer.concat([seal, content]).toString('base64url');
  return [
    ['nothing', ''],
    ['no base64', 'not a cursor'],
    ['cut at the front', cursor.slice(1)],
    ['cut at the end', cursor.slice(0, -2)],
    ['the seal alone', sealed(Buffer.alloc(0))],
    ['something behind', `${cursor}AAAA`],
    ['a space behind', `${cursor} `],
    ['NUL behind', `${cursor}\0`],
    ['NUL', '\0'],
    ['padded', `${cursor}==`],
    ['1 MB', 'A'.repeat(2 ** 20)],
    ['another seal', Buffer.concat([Buffer.alloc(16), body]).toString('base64url')],
    ['a negative offset', Buffer.from('OffsetConnection:-50').toString('base64')],
    ['an offset that is no number', Buffer.from('OffsetConnection:abc').toString('base64')],
    ['another place', sealed(body.map((byte, at) => (at === 0 ? byte ^ 1 : byte)))],
    ['a place that is longer', sealed(Buffer.concat([body, Buffer.alloc(16)]))],
    ['a place that is not encrypted', sealed(Buffer.from('[1]'.padEnd(16)))],
    ['a number', '5'],
  ];
}

describe('a cursor', () => {
  it('of one list is refused by every other one, and by the same with other conditions or another order', async () => {
    const populated = populate(random(13));
    const cursors = new Map<List, string>();
    for (const list of lists) {
      const { cursors: [, second] = [] } = await read(populated, list);
      cursors.set(list, second!);
      expect(await read(populated, list, { after: second })).toHaveProperty('cursors');
    }
    for (const list of lists) {
      for (const [other, cursor] of cursors) {
        if (other === list) continue;
        for (const edge of ['after', 'before']) {
          expect([
            list.name,
            other.name,
            edge,
            await read(populated, list, { [edge]: cursor }),
          ]).toMatchObject([list.name, other.name, edge, refused]);
        }
      }
      const after = cursors.get(list);
      const changed = [
        ...Object.entries(list.arguments ?? {}).map(([name, { values }]) => ({ [name]: values[0] })),
        ...(list.where ? [{ where: {} }, { where: { not: {} } }] : []),
        ...Object.keys(list.orders ?? {}).map((field) => ({ orderBy: [{ field, direction: 'ASC' }] })),
        ...(list.search ? [list.search[1]!] : []),
      ].filter((change) => Object.values(change).some((value) => value !== null));
      for (const change of changed) {
        expect([list.name, change, await read(populated, list, { ...change, after })]).toMatchObject([
          list.name,
          change,
          refused,
        ]);
      }
    }
  });

  it('that nobody gave out is refused by every list', async () => {
    const populated = populate(random(13));
    for (const list of lists) {
      const { cursors: [, second] = [] } = await read(populated, list);
      for (const [what, cursor] of forged(second!)) {
        for (const edge of ['after', 'before']) {
          expect([list.name, what, edge, await read(populated, list, { [edge]: cursor })]).toMatchObject([
            list.name,
            what,
            edge,
            refused,
          ]);
        }
      }
    }
  });
});

describe('an id', () => {
  const id = (text: string) => Buffer.from(text).toString('base64');
  const hostile: [string, string][] = [
    ['nothing', ''],
    ['NUL', '\0'],
    ['no base64', 'Organism:tiny-cake'],
    ['200 KB', 'A'.repeat(200_000)],
    ['a key of 100 KB', id(`Organism:${'x'.repeat(100_000)}`)],
    ['NUL in the key', id('Organism:tiny\0cake')],
    ['a type that is none', id('Nothing:x')],
    ['a type without nodes', id('PageInfo:x')],
    ['a root', id('Query:x')],
    ['an interface', id('Node:x')],
    ['introspection', id('__Schema:x')],
    ['no key', id('Run:')],
    ['a member of Object', id('constructor:x')],
    ['SQL', id("Run:' or 1=1 --")],
    ['a path', id('Organism:../../etc/passwd')],
    ['a layer of no run', id('RunLayer:0123456789abcdef0123.L0')],
    ['a leading zero', id('DiffVector:0123456789abcdef0123.L01.P0')],
    ['a negative layer', id('RunLayer:0123456789abcdef0123.L-1')],
    ['a layer beyond all numbers', id(`RunLayer:0123456789abcdef0123.L${'9'.repeat(400)}`)],
    ['lone surrogates', '\ud800'],
  ];

  it('that is none is null, for nodes as for node', async () => {
    const { world, main } = populate(random(13));
    const { query } = await serve(world.store);
    const known = id(`Run:${String(main.run.columns['key'])}`);
    const cases: [string, string][] = [
      ...hostile,
      ['of another type', id(`Organism:${String(main.run.columns['key'])}`)],
      ['spelled otherwise', known.replace(/=*$/, ' ')],
      ['in capitals', id(`Run:${String(main.run.columns['key']).toUpperCase()}!`)],
    ];
    for (const [what, text] of cases) {
      const response = await query({
        query: 'query ($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }',
        variables: { id: text },
      });
      expect([what, response.status, await response.json()]).toEqual([
        what,
        200,
        { data: { node: null, nodes: [null] } },
      ]);
    }
    const found = await query({ query: `{ node(id: "${known}") { id } }` });
    expect(await found.json()).toEqual({ data: { node: { id: known } } });
  });

  it('longer than a request may be is refused as a request', async () => {
    const { world } = populate(random(13));
    const { query } = await serve(world.store);
    const response = await query({
      query: 'query ($id: ID!, $after: String) { node(id: $id) { id } runs(after: $after) { totalCount } }',
      variables: { id: 'A'.repeat(2 ** 20), after: 'A'.repeat(2 ** 20) },
    });
    expect(response.status).toBe(413);
  });
});
