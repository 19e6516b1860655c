import { createHmac, createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { join } from 'node:path';
import { decodeCursor, encodeCursor } from '../../schema/cursor.ts';
import { bearer, openStore, type SortKey, type SortValue } from '../../src/db/index.ts';
import { type Answer, ask } from '../harness/ask.ts';
import { serve } from '../harness/serve.ts';
import { seedOrganism, seedRun } from '../harness/synthetic-run.ts';
import { seedToken } from '../harness/teams.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const secret = Buffer.alloc(32, 7);
const scope = { key: createSecretKey(secret), viewer: 'all', list: '["runs",null,{}]' };
const real: SortValue[] = [
  { type: 'real', nullable: true },
  { type: 'integer', nullable: false },
  { type: 'string', nullable: true },
];

describe('a cursor', () => {
  it.each([0.7312, 5e-7, -0, 0.1 + 0.2, Number.MIN_VALUE, -Number.MAX_VALUE, Infinity, -Infinity, null])(
    'carries %s without a bit lost',
    (number) => {
      const key: SortKey = [number, 2 ** 53 - 1, 'two\nlines "and" 🎂'];
      const [read, ...rest] = decodeCursor(scope, encodeCursor(scope, key, real), real);
      expect(Object.is(read, number)).toBe(true);
      expect(rest).toEqual(key.slice(1));
    },
  );

  it('is the same text for the same place, and shows nothing of it', () => {
    const of = (name: string, under = scope) => encodeCursor(under, [0.5, 3, name], real);
    const cursor = of('secret project');
    expect(of('secret project')).toBe(cursor);
    expect(of('secret project', { ...scope, key: createSecretKey(secret) })).toBe(cursor);
    expect(cursor).toMatch(/^[\w-]+$/);
    const bytes = Buffer.from(cursor, 'base64url').toString('latin1');
    for (const part of ['secret', '3fe0', ',3,']) expect(bytes).not.toContain(part);
    // Equal beginnings stay unequal, and one letter more is as long.
    expect(of('secret projecu').slice(0, 8)).not.toBe(cursor.slice(0, 8));
    expect(of('secret projec')).toHaveLength(cursor.length);
  });

  it('of three orders with names of 50 letters is at most 512 characters', () => {
    const texts: SortValue[] = Array.from({ length: 4 }, () => ({ type: 'string', nullable: false }));
    expect(
      encodeCursor(
        scope,
        texts.map(() => 'x'.repeat(50)),
        texts,
      ).length,
    ).toBeLessThanOrEqual(512);
  });

  const cursor = encodeCursor(scope, [1.5, 3, null], real);
  const refused = { extensions: { code: 'INVALID_CURSOR' } };

  it.each([
    ['list', { ...scope, list: '["organisms",null,{}]' }],
    ['filter', { ...scope, list: '["runs",null,{"methods":["x"]}]' }],
    ['viewer', { ...scope, viewer: 'shared' }],
    ['store', { ...scope, key: createSecretKey(Buffer.alloc(32, 8)) }],
  ])('is refused by another %s', (_, other) => {
    expect(decodeCursor(scope, cursor, real)).toEqual([1.5, 3, null]);
    expect(() => decodeCursor(other, cursor, real)).toThrow(expect.objectContaining(refused));
  });

  it('of the first version, signed and readable, is refused', () => {
    const body = Buffer.from('["3ff8000000000000",3,null]');
    const signature = createHmac('sha256', secret)
      .update(`1\n${scope.list.length}\n${scope.list}\n`)
      .update(body)
      .digest()
      .subarray(0, 8);
    const former = Buffer.concat([signature, body]).toString('base64url');
    expect(() => decodeCursor(scope, former, real)).toThrow(expect.objectContaining(refused));
  });

  it('is refused with any one bit changed', () => {
    const bytes = Buffer.from(cursor, 'base64url');
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => decodeCursor(scope, changed.toString('base64url'), real)).toThrow(
        expect.objectContaining(refused),
      );
    }
  });

  // Sealed with the right key: what a leaked key would let through is judged all the same.
  it.each<[string, SortKey]>([
    ['NaN', [NaN, 3, null]],
    ['a text where a real number goes', ['1.5', 3, null]],
    ['null where none can be', [1.5, null, null]],
    ['a fraction where a whole number goes', [1.5, 3.5, null]],
    ['a number where a text goes', [1.5, 3, 4]],
    ['too few values', [1.5, 3]],
    ['too many values', [1.5, 3, null, 4]],
  ])('is refused with %s in it', (_, key) => {
    expect(() => decodeCursor(scope, encodeCursor(scope, key, real), real)).toThrow(
      expect.objectContaining(refused),
    );
  });
});

describe('cursors of a page', () => {
  it('are made when they are asked for only', async () => {
    const store = temporaryStore();
    for (const seed of [1, 2]) seedRun(store, { seed });
    let asked = 0;
    const watched = Object.defineProperty({ ...store }, 'cursorKey', {
      get: () => (asked++, store.cursorKey),
    });
    await ask(watched, '{ runs(first: 2) { totalCount edges { node { key } } pageInfo { hasNextPage } } }');
    expect(asked).toBe(0);
    await ask(watched, '{ runs(first: 2) { pageInfo { endCursor } } }');
    expect(asked).toBeGreaterThan(0);
  });

  it('are of who asked: nobody else goes on from them, and none says what it was made of', async () => {
    const store = temporaryStore();
    const [anna, bert] = [seedToken(store), seedToken(store)];
    for (const name of ['a-open', 'b-secret', 'c-open']) {
      const { organism } = seedOrganism(store, name);
      store.administration.share('organism', organism, { visibility: 'PUBLIC' });
    }
    const mine = store.as(bearer(anna.row)).organisms;
    const { id: _, ...secret } = {
      ...store.organisms.get('b-secret'),
      name: 'bb-secret',
      visibility: 'PRIVATE',
    };
    mine.add(secret as never);
    const { get } = await serve(store);
    const page = async (headers: Record<string, string>, after: string | null) => {
      const query =
        'query ($after: String) { organisms(first: 3, after: $after, orderBy: { field: NAME }) { edges { node { name } } pageInfo { endCursor } } }';
      const response = await get('/graphql', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers },
        body: JSON.stringify({ query, variables: { after } }),
      });
      const { data, errors } = (await response.json()) as Answer;
      return errors
        ? (errors as { extensions: { code: string } }[]).map(({ extensions }) => extensions.code)
        : {
            names: (data.organisms.edges as { node: { name: string } }[]).map(({ node }) => node.name),
            end: data.organisms.pageInfo.endCursor as string,
          };
    };
    const first = await page(anna.headers, null);
    if (Array.isArray(first)) throw new Error(first.join());
    expect(first.names).toEqual(['a-open', 'b-secret', 'bb-secret']);
    expect(Buffer.from(first.end, 'base64url').toString('latin1')).not.toContain('secret');
    expect(await page(anna.headers, first.end)).toMatchObject({ names: ['c-open'] });
    for (const headers of [bert.headers, {}])
      expect(await page(headers, first.end)).toEqual(['INVALID_CURSOR']);
    const stranger = await page({}, null);
    if (Array.isArray(stranger)) throw new Error(stranger.join());
    expect(stranger.names).toEqual(['a-open', 'b-secret', 'c-open']);
    expect(await page({}, stranger.end)).toMatchObject({ names: [] });
  });
});

it('a store keeps its key when it is closed and opened, and another store has another', () => {
  const file = join(temporaryFolder(), 'store.sqlite');
  const keyOf = (path: string, readonly = false): string => {
    const store = openStore(path, { readonly });
    const { cursorKey } = store;
    store.close();
    expect(cursorKey.symmetricKeySize).toBe(32);
    return cursorKey.export().toString('hex');
  };
  const key = keyOf(file);
  expect(keyOf(file)).toBe(key);
  expect(keyOf(file, true)).toBe(key);
  expect(keyOf(join(temporaryFolder(), 'store.sqlite'))).not.toBe(key);
});
