import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { owner } from '../../src/db/index.ts';
import type { ReaderRequest } from '../../src/server/reader/protocol.ts';
import { createReader, type ReaderOptions } from '../../src/server/reader/reader.ts';
import { serve } from '../harness/serve.ts';
import { seedToken } from '../harness/teams.ts';
import { seedRun } from '../harness/synthetic-run.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const entry = fileURLToPath(new URL('../harness/unruly-reader.ts', import.meta.url));

function unruly(options: Partial<ReaderOptions> = {}) {
  const reader = createReader({ storeFile: 'none', timeoutMs: 60_000, entry, ...options });
  onTestFinished(() => reader.stop());
  const ask = async (source: string, signal?: AbortSignal) => {
    const answer = await reader.ask({ source, viewer: owner } as ReaderRequest, signal);
    return typeof answer === 'string'
      ? answer
      : (JSON.parse(Buffer.from(answer.data!).toString()) as [source: string, pid: number]);
  };
  return { reader, ask };
}

describe('a reader', () => {
  it('answers one query after the other, each its own', async () => {
    const { reader, ask } = unruly();
    const answers = await Promise.all(['a', 'b', 'c'].map((source) => ask(source)));
    expect(answers).toEqual(['a', 'b', 'c'].map((source) => [source, reader.pid()]));
  });

  it('that dies is replaced, and gives up a query that it died of twice', async () => {
    const { reader, ask } = unruly();
    const [before] = [await ask('a'), process.kill(reader.pid()!, 'SIGKILL')];
    const after = await ask('b');
    expect([before[0], after[0]]).toEqual(['a', 'b']);
    expect(before[1]).not.toBe(after[1]);
    expect(await Promise.all([ask('die'), ask('c')])).toEqual(['FAILED', ['c', reader.pid()]]);
  });

  it('that hangs is ended when the time of its query is over', async () => {
    const { ask } = unruly({ timeoutMs: 1_500 });
    await ask('a'); // it has started
    const [hung, waited] = await Promise.all([ask('hang'), ask('b')]);
    expect([hung, waited]).toEqual(['TIMEOUT', 'TIMEOUT']);
    expect(await ask('c')).toMatchObject(['c', expect.any(Number)]);
  });

  it('takes no more than may wait, and forgets who has left', async () => {
    const { reader, ask } = unruly({ mostWaiting: 1 });
    const leaving = new AbortController();
    const all = [ask('hang'), ask('a', leaving.signal), ask('b')];
    expect(await all[2]).toBe('BUSY');
    leaving.abort();
    expect(await all[1]).toBe('TIMEOUT');
    reader.stop();
    expect(await all[0]).toBe('FAILED');
    expect(await ask('c')).toBe('FAILED');
  });
});

describe('a server', () => {
  const queries: [query: string, variables?: object][] = [
    [
      '{ organisms(first: 5) { totalCount edges { cursor node { id name latestRun { key layers(first: 9) { edges { node { layer } } } } } } } }',
    ],
    ['query ($run: String!) { run(key: $run) { key organism { name } } missing: run(key: "no") { key } }'],
    ['{ diffVectors(first: 2, after: "forged") { edges { node { key } } } }'],
    [
      '{ a: diffVectors(first: 1) { edges { node { diff { url preview(first: 2) } } } } b: nodes(ids: ["x"]) { id } }',
    ],
    ['query ($first: Int!) { runs(first: $first) { totalCount } }', { first: 201 }],
    ['{ serviceConfig { cost { limit } features } viewer { kind scopes team } }'],
    ['{ diffVectors(first: 1) { edges { node { neighbours(first: 3) { cosine diffVector { key } } } } } }'],
  ];

  it('answers by its reader as it does by itself, on both ways and for every viewer', async () => {
    const store = temporaryStore();
    const run = seedRun(store);
    seedRun(store, { organism: 'other', seed: 2 });
    const asked = queries.map(([query, variables]) => ({ query, variables: { run: run.key, ...variables } }));
    const bodies = async (dearCost: number, headers: Record<string, string>, plainPost: boolean) => {
      const { url } = await serve(store, { dearCost, plainPost });
      const found = [];
      for (const body of asked) {
        const response = await fetch(`${url}/graphql`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json', 'X-Cost': '1', ...headers },
          body: JSON.stringify(body),
        });
        const text = await response.text();
        const steady = text
          .replaceAll(url, '<server>')
          .replaceAll(/"requestId":"[^"]+"/g, '"requestId"')
          .replaceAll(/"(remaining|resetAt)":[^,}]+/g, '"$1"')
          .replaceAll(/(expires|signature)=[\w-]+/g, '$1');
        found.push([
          response.status,
          JSON.parse(
            steady.replaceAll('"requestId"', '"requestId":0').replaceAll(/"(remaining|resetAt)"/g, '"$1":0'),
          ) as unknown,
        ]);
      }
      return found;
    };
    expect(await bodies(-1, {}, true)).toEqual(await bodies(1e9, {}, true));
    expect(await bodies(-1, {}, false)).toEqual(await bodies(1e9, {}, false));
    const { headers } = seedToken(store);
    expect(await bodies(-1, headers, true)).toEqual(await bodies(1e9, headers, true));
    expect(await bodies(-1, {}, true)).toEqual(await bodies(1e9, {}, true));
  });

  it('says that time is over, and goes on', async () => {
    const store = temporaryStore();
    seedRun(store);
    const { query } = await serve(store, { dearCost: -1, timeoutMs: 0 });
    const response = await query({ query: '{ organisms(first: 1) { edges { node { name } } } }' });
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'TIMEOUT' } }] });
    expect(response.status).toBe(504);
  });
});
