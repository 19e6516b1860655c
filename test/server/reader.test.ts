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
  const ask = async (
    source: string,
    { client = 'one', signal }: { client?: string; signal?: AbortSignal } = {},
  ) => {
    const answer = await reader.ask({ source, viewer: owner } as ReaderRequest, client, signal);
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

  it('that hangs is ended when the time of its query is over, and what only waited was not at fault', async () => {
    const { ask } = unruly({ timeoutMs: 4_000 });
    await ask('a'); // it has started
    const [hung, waited] = await Promise.all([ask('hang'), ask('b')]);
    expect([hung, waited]).toEqual(['TIMEOUT', 'BUSY']);
    expect(await ask('c')).toMatchObject(['c', expect.any(Number)]);
  });

  it('gives what waits long time of its own, and lets clients take turns', async () => {
    const { ask } = unruly({ timeoutMs: 5_000 });
    await ask('a');
    const order: string[] = [];
    const asking = ['slow 1', 'slow 2', 'slow 3'].map((source) => ask(source, { client: 'greedy' }));
    asking.push(ask('slow 4', { client: 'other' }), ask('slow 5', { client: 'greedy' }));
    for (const answer of asking)
      void answer.then((said) => order.push(typeof said === 'string' ? said : said[0]));
    await Promise.all(asking);
    expect(order).toEqual(['slow 1', 'slow 2', 'slow 4', 'slow 3', 'slow 5']);
  });

  it('ends work for which nobody waits any more', async () => {
    const { ask } = unruly({ graceMs: 200 });
    await ask('a');
    const leaving = new AbortController();
    const hung = ask('hang', { signal: leaving.signal });
    const next = ask('b', { client: 'two' });
    leaving.abort();
    expect(await hung).toBe('TIMEOUT');
    expect(await next).toMatchObject(['b', expect.any(Number)]);
  });

  it('takes no more than may wait, of all and of one, and forgets who has left', async () => {
    const { reader, ask } = unruly({ mostWaiting: { ofAll: 3, ofClient: 2 } });
    const leaving = new AbortController();
    const hung = ask('hang');
    const all = [
      ask('a', { signal: leaving.signal }),
      ask('b'),
      ask('c'), // one too many of this client
      ask('d', { client: 'two' }),
      ask('e', { client: 'three' }), // one too many of all
    ];
    expect([await all[2], await all[4]]).toEqual(['BUSY', 'BUSY']);
    leaving.abort();
    expect(await all[0]).toBe('BUSY');
    const taken = ask('f', { client: 'three' });
    reader.stop();
    expect(await Promise.all([hung, all[1], all[3], taken])).toEqual(Array(4).fill('FAILED'));
    expect(await ask('g')).toBe('FAILED');
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

  it('says that it is overloaded where its reader dies of a query twice, and charges what it cost', async () => {
    const store = temporaryStore();
    const { query } = await serve(store, {
      dearCost: -1,
      readerEntry: entry,
      plainPost: true,
      pointsPerHour: 1_000,
      log: () => undefined,
    });
    const response = await query({ query: '{ runs(first: 6) { totalCount } } # die' });
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: 'OVERLOADED', retryable: true } }],
    });
    expect(response.status).toBe(503);
    expect(response.headers.get('ratelimit')).toMatch(/r=983;/); // 1 + 6 + 10 of 1,000
  });

  it('lets strangers keep nobody waiting who is known', async () => {
    const store = temporaryStore();
    const { url } = await serve(store, { dearCost: -1, readerEntry: entry });
    const { headers } = seedToken(store);
    const ask = async (query: string, by = {}) => {
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...by },
        body: JSON.stringify({ query }),
      });
      return {
        status: response.status,
        body: (await response.json()) as { errors?: { extensions: object }[] },
      };
    };
    const asked = Array.from({ length: 20 }, () => ask('{ runs { totalCount } } # slow'));
    const full = await Promise.race(asked); // of a stranger only so many wait: the rest is told at once
    expect(full.status).toBe(503);
    const known = await ask('{ runs { totalCount } }', headers);
    expect(known.status).toBe(200);
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 503)).toHaveLength(20 - 1 - 8);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1 + 8);
  });

  it('leaves to its reader what turns out to cost a lot, but no answer to a mutation', async () => {
    const store = temporaryStore();
    const wide = { layers: [1], positions: 300, tokens: 1 };
    const { key } = seedRun(store, wide);
    const other = seedRun(store, { ...wide, organism: 'other', seed: 2 });
    const { query } = await serve(store, { dearCost: 550, readerEntry: entry });
    const ask = async (source: string) =>
      (await (await query({ query: source })).json()) as { data: unknown; errors?: { extensions: object }[] };
    // Weighed as 500 points, for nothing says how many vectors there are; 900 are spent.
    const compare = `{ compare(a: "${key}", b: "${other.key}") { meanCosine } }`;
    for (const _ of ['interpreted', 'compiled']) expect(Array.isArray((await ask(compare)).data)).toBe(true); // what the reader in this test answers

    const { data } = (await ask(`{ run(key: "${key}") { id } }`)) as { data: { run: { id: string } } };
    const noted = (payload: string) =>
      ask(
        `mutation { noteCreate(input: { subject: "${data.run.id}", text: "x" }) { note { run { ${payload} } } } }`,
      );
    expect(await noted('organism { name }')).toMatchObject({
      data: { noteCreate: { note: { run: { organism: { name: expect.any(String) as string } } } } },
    });
    const dear = await noted(
      'organism { baseModel { organisms { edges { node { runs { edges { cursor } } } } } } }',
    );
    expect(dear.errors).toMatchObject([{ extensions: { code: 'COST_LIMIT_EXCEEDED', limit: 2_000 } }]);
    expect(dear.data).toBeUndefined();
    expect(store.notes.ofRun.count(store.runs.findByKey(key)!, {})).toBe(1);
  });

  it('leaves to its reader what goes through many rows, whatever is shown of them', async () => {
    const store = temporaryStore();
    seedRun(store);
    const asked: [query: string, long: boolean][] = [
      ['diffVectors(first: 1)', false],
      ['diffVectors(first: 1, where: { position: { gte: 0 } })', true],
      ['diffVectors(first: 1, orderBy: [{ field: NORM }])', true],
      ['organisms(first: 1, where: { topTokens: { text: "e", match: CONTAINS } })', true],
      ['organisms(first: 1, where: { topTokens: { text: "nowhere" } })', false],
      [
        'organisms(first: 1, where: { or: [{ not: { diffVectors: { some: { layer: { eq: 1 } } } } }] })',
        true,
      ],
      ['tokenSearch(first: 1, text: "nowhere")', false],
      ['tokenSearch(first: 1, text: "e", match: CONTAINS)', true],
    ];
    const { query } = await serve(store, { dearSearch: 3, readerEntry: entry });
    for (const [field, long] of asked) {
      for (const _ of ['interpreted', 'compiled']) {
        const { data } = (await (await query({ query: `{ ${field} { totalCount } }` })).json()) as {
          data: unknown;
        };
        expect(Array.isArray(data), field).toBe(long); // what the reader in this test answers
      }
    }
  });
});
