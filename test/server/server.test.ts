import { getIntrospectionQuery } from 'graphql';
import { request } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createServer, listen } from '../../src/server/index.ts';
import { exampleQuery } from '../../src/server/example-query.ts';
import { seedRun } from '../harness/synthetic-run.ts';
import { breakTables } from '../harness/broken-store.ts';
import { serve } from '../harness/serve.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const answer = async (response: Response) => {
  const { data, errors } = (await response.json()) as {
    data?: unknown;
    errors?: { extensions?: { code?: string } }[];
  };
  return { status: response.status, data, codes: errors?.map((error) => error.extensions?.code) };
};

describe('/graphql', () => {
  it('answers POST of JSON and GET', async () => {
    const { query, get } = await serve(temporaryStore());
    const expected = { status: 200, data: { runs: { totalCount: 0 } }, codes: undefined };
    expect(await answer(await query({ query: '{ runs { totalCount } }' }))).toEqual(expected);
    expect(
      await answer(await get(`/graphql?query=${encodeURIComponent('{ runs { totalCount } }')}`)),
    ).toEqual(expected);
  });

  it('answers introspection and the example query within its limits', async () => {
    const { query } = await serve(temporaryStore());
    const full = getIntrospectionQuery({
      descriptions: true,
      inputValueDeprecation: true,
      specifiedByUrl: true,
    });
    expect((await answer(await query({ query: full }))).codes).toBeUndefined();
    expect((await answer(await query({ query: exampleQuery }))).codes).toBeUndefined();
  });

  it('gives URLs under which the vector is', async () => {
    const store = temporaryStore();
    const run = seedRun(store);
    const { query, url } = await serve(store);
    const { data } = await answer(
      await query({ query: `{ diffVector(key: "${run.key}.L1.P0") { diff { url npyUrl } } }` }),
    );
    const { diff } = (data as { diffVector: { diff: { url: string; npyUrl: string } } }).diffVector;
    expect(diff.url.startsWith(`${url}/v1/vectors/`)).toBe(true);
    expect([(await fetch(diff.url)).status, (await fetch(diff.npyUrl)).status]).toEqual([200, 200]);
  });

  it.each([
    ['{', 400, ['BAD_REQUEST']],
    [{ query: '{' }, 400, ['GRAPHQL_PARSE_FAILED']],
    [{ query: '{ nothing }' }, 400, ['GRAPHQL_VALIDATION_FAILED']],
    [
      { query: 'query ($k: String!) { run(key: $k) { key } }', variables: { k: {} } },
      400,
      ['BAD_USER_INPUT'],
    ],
    [{ query: '{ runs(first: 201) { totalCount } }' }, 200, ['BAD_USER_INPUT']],
  ])('gives each error a code: %j', async (body, status, codes) => {
    const { query } = await serve(temporaryStore());
    expect(await answer(await query(body))).toMatchObject({ status, codes });
  });

  it('says nothing of an unexpected error but an id, and logs the rest under it', async () => {
    const lines: string[] = [];
    const store = temporaryStore();
    const { query } = await serve(store, { log: (line) => lines.push(line) });
    breakTables(store, 'runs');
    const response = await query({ query: '{ runs { totalCount } }' });
    const text = await response.text();
    const [error] = (JSON.parse(text) as { errors: { extensions: { code: string; requestId: string } }[] })
      .errors;
    expect(error?.extensions.code).toBe('INTERNAL');
    expect(text).not.toMatch(/database|sqlite|at /i);
    expect(lines).toEqual([expect.stringContaining(error?.extensions.requestId ?? 'none')]);
    expect(lines[0]).toContain('no such table: ');
  });
});

describe('hostile requests', () => {
  /** From a run round by its organism to a run again, so many times: six fields each. */
  const round = (times: number, inner: string) =>
    `${'organism { baseModel { organisms(first: 1) { edges { node { latestRun { '.repeat(times)}${inner}${' }'.repeat(6 * times)}`;
  const runs = (inner: string) => `{ runs { edges { node { ${inner} } } } }`;
  const bomb = (levels: number) =>
    `{ ...f0 } ${Array.from({ length: levels }, (_, i) => `fragment f${i} on Query { ...f${i + 1} ...f${i + 1} }`).join(' ')} fragment f${levels} on Query { __typename }`;

  it.each([
    ['a query of depth 41', runs(round(6, 'corpus { id }'))],
    [
      'depth hidden in fragments',
      `${runs(round(3, '...f'))} fragment f on Run { ${round(3, 'corpus { id }')} }`,
    ],
    [
      '31 aliases',
      `{ ${Array.from({ length: 31 }, (_, i) => `a${i}: ${['runs', 'jobs', 'corpora', 'organisms'][i % 4]} { totalCount }`).join(' ')} }`,
    ],
    [
      '11 aliases of a field',
      `{ ${Array.from({ length: 11 }, (_, i) => `a${i}: runs { totalCount }`).join(' ')} }`,
    ],
    ['a fragment bomb of 2^20 fields in a kilobyte', bomb(20)],
  ])('refuses %s', async (_, query) => {
    const server = await serve(temporaryStore());
    const { status, codes, data } = await answer(await server.query({ query }));
    expect(codes).toContain('COST_LIMIT_EXCEEDED');
    expect([status, data]).toEqual([400, undefined]);
  });

  it('allows a query of depth 40', async () => {
    const { query } = await serve(temporaryStore());
    expect((await answer(await query({ query: runs(round(6, 'key')) }))).codes).toBeUndefined();
  });

  it.each([
    ['20,000 levels', '{ a '.repeat(20_000)],
    ['15,000 aliases', `{ ${'a: __typename '.repeat(15_000)} }`],
  ])('stops parsing %s', async (_, query) => {
    const server = await serve(temporaryStore());
    expect(await answer(await server.query({ query }))).toMatchObject({
      status: 400,
      codes: ['GRAPHQL_PARSE_FAILED'],
    });
  });

  it('refuses a body of more than 256 KB', async () => {
    const { query } = await serve(temporaryStore());
    expect((await query({ query: `{ __typename } #${'x'.repeat(256 * 1024)}` })).status).toBe(413);
    const unused = { unused: 'x'.repeat(200 * 1024) };
    expect((await query({ query: '{ __typename }', variables: unused })).status).toBe(200);
  });

  it.each([
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'text/plain',
    'application/graphql',
    '',
  ])('refuses a POST of type "%s", which other sites can send', async (type) => {
    const { get } = await serve(temporaryStore());
    const body = new TextEncoder().encode('query={__typename}');
    const response = await get('/graphql', {
      method: 'POST',
      headers: type ? { 'Content-Type': type } : {},
      body,
    });
    expect(response.status).toBe(415);
  });

  it('refuses a batch', async () => {
    const { query } = await serve(temporaryStore());
    expect((await query([{ query: '{ __typename }' }])).status).toBe(400);
  });

  it('lets no other site read', async () => {
    const { get } = await serve(temporaryStore());
    const response = await get('/graphql?query={__typename}', { headers: { Origin: 'https://example.org' } });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
    const preflight = await get('/graphql', {
      method: 'OPTIONS',
      headers: { Origin: 'https://example.org' },
    });
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([405, null]);
  });

  it('answers to names of this machine only', async () => {
    const { port } = await serve(temporaryStore());
    const status = (host: string) =>
      new Promise<number | undefined>((resolve, reject) =>
        request({ port, host: '127.0.0.1', path: '/health', headers: { Host: host } }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on('error', reject)
          .end(),
      );
    for (const host of ['localhost', `localhost:${port}`, '127.0.0.1', `[::1]:${port}`])
      expect(await status(host), host).toBe(200);
    for (const host of [
      'evil.example',
      '127.0.0.1.evil.example',
      'localhost.evil.example',
      '0.0.0.0',
      '10.0.0.1',
      'a@localhost',
    ]) {
      expect(await status(host), host).toBe(421);
    }
  });

  it('survives a URL that is none', async () => {
    const { port, get } = await serve(temporaryStore());
    const reply = await new Promise<string>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () =>
        socket.end('GET http://[ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'),
      );
      let text = '';
      socket
        .on('data', (chunk) => (text += String(chunk)))
        .on('close', () => resolve(text))
        .on('error', reject);
    });
    expect(reply).toMatch(/^HTTP\/1\.1 400 /);
    expect((await get('/health')).status).toBe(200);
  });
});

describe('pages', () => {
  it('shows GraphiQL with nothing from elsewhere', async () => {
    const { get } = await serve(temporaryStore(), { graphiql: true });
    const page = await get('/graphql', { headers: { Accept: 'text/html' } });
    expect(page.status).toBe(200);
    const html = await page.text();
    expect(html).toContain('Top tokens that each finetune promotes');
    expect(html).not.toMatch(/<(script|img|iframe)[^>]*\ssrc\s*=\s*["']?(https?:)?\/\//i);
    expect(html).not.toMatch(/<link[^>]*\shref\s*=\s*["']?(https?:)?\/\//i);
    expect(page.headers.get('content-security-policy')).toContain("connect-src 'self'");
    const etag = page.headers.get('etag')!;
    const again = await get('/graphql', { headers: { Accept: 'text/html', 'If-None-Match': etag } });
    expect([again.status, await again.text()]).toEqual([304, '']);
  });

  it('shows none when it is off', async () => {
    const { get } = await serve(temporaryStore());
    expect((await get('/')).status).toBe(404);
    expect(
      (await get('/graphql', { headers: { Accept: 'text/html' } })).headers.get('content-type') ?? '',
    ).not.toContain('html');
  });

  it('says that it is well, and 404 in JSON elsewhere', async () => {
    const { get } = await serve(temporaryStore());
    expect(await (await get('/health')).json()).toEqual({
      status: 'ok',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    });
    const nowhere = await get('/nowhere');
    expect([nowhere.status, await nowhere.json()]).toEqual([
      404,
      { code: 'NOT_FOUND', message: expect.any(String) },
    ]);
    expect(nowhere.headers.get('content-security-policy')).toContain("default-src 'none'");
  });
});

describe('listen', () => {
  it('refuses a port that is taken, naming it', async () => {
    const store = temporaryStore();
    const { port } = await serve(store);
    await expect(listen(createServer({ store, graphiql: false }), { port })).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: `port ${port} on 127.0.0.1 is taken; choose another, or 0 for any free one`,
    });
  });

  it.each(['0.0.0.0', '::', '192.168.0.1', 'example.org'])('refuses to listen on %s', async (host) => {
    const server = createServer({ store: temporaryStore(), graphiql: false });
    await expect(listen(server, { host, port: 0 })).rejects.toMatchObject({ code: 'ADDRESS_NEEDS_TOKENS' });
    expect(server.listening).toBe(false);
  });

  it('frees its port when it closes', async () => {
    const store = temporaryStore();
    const first = await listen(createServer({ store, graphiql: false }), { port: 0 });
    await fetch(`${first.url}/health`);
    await first.close();
    const second = await listen(createServer({ store, graphiql: false }), { port: first.port });
    expect(second.port).toBe(first.port);
    await second.close();
  });
});
