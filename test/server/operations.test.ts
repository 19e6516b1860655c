import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { createServer, listen } from '../../src/server/index.ts';
import { serve } from '../harness/serve.ts';
import { seedRun } from '../harness/synthetic-run.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

describe('/ready', () => {
  const ready = async (options: Parameters<typeof serve>[1] = {}, store = temporaryStore()) => {
    const { get } = await serve(store, options);
    return async () => {
      const response = await get('/ready');
      return [response.status, await response.json()];
    };
  };
  const engine = (degraded: boolean) =>
    ({ state: 'idle', degraded, pid: null, deaths: Number(degraded), lastWords: null }) as const;
  const checks = { server: 'ok', store: 'ok', disk: 'ok', engine: 'none' };

  it('says what is well', async () => {
    expect(await (await ready())()).toEqual([200, { status: 'ready', checks }]);
    expect(await (await ready({ engine: () => engine(false) }))()).toEqual([
      200,
      { status: 'ready', checks: { ...checks, engine: 'ok' } },
    ]);
  });

  it('goes on without an engine, and not without a store', async () => {
    expect(await (await ready({ engine: () => engine(true) }))()).toEqual([
      200,
      { status: 'degraded', checks: { ...checks, engine: 'degraded' } },
    ]);
    const store = temporaryStore();
    const ask = await ready({}, store);
    store.close();
    expect(await ask()).toEqual([503, { status: 'not ready', checks: { ...checks, store: 'unreadable' } }]);
  });
});

describe('/metrics', () => {
  it('counts requests, errors, rows, documents and jobs', async () => {
    const store = temporaryStore();
    const run = seedRun(store);
    for (const [i, name] of ['a', 'b'].entries())
      store.jobs.add({
        kind: 'run',
        spec: { name },
        identity: String(i).repeat(64),
        organismId: null,
        priority: 0,
      });
    const { get, query } = await serve(store);
    await query({ query: '{ runs { edges { node { key layers { edges { node { layer } } } } } } }' });
    await query({ query: '{ runs(first: 201) { totalCount } }' });
    await query({ query: '{ nothing }' });
    await get(`/v1/vectors/${run.key}.L1.P0/diff?sha256=x`);
    await get('/no/such/place');
    const response = await get('/metrics');
    expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    const text = await response.text();
    const lines = text.split('\n');
    for (const line of [
      'deltascope_http_requests_total{route="/graphql",method="POST",status="200"} 2',
      'deltascope_http_requests_total{route="/graphql",method="POST",status="400"} 1',
      'deltascope_http_requests_total{route="/v1/vectors/{key}",method="GET",status="404"} 1',
      'deltascope_http_requests_total{route="none",method="GET",status="404"} 1',
      'deltascope_http_request_duration_seconds_count{route="/graphql"} 3',
      'deltascope_graphql_errors_total{code="BAD_USER_INPUT"} 1',
      'deltascope_graphql_errors_total{code="GRAPHQL_VALIDATION_FAILED"} 1',
      'deltascope_graphql_rows_sum 3',
      'deltascope_documents 3',
      'deltascope_jobs{state="QUEUED"} 2',
      'deltascope_jobs{state="RUNNING"} 0',
    ])
      expect(lines).toContain(line);
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
    expect(text).not.toContain(run.key);
  });
});

describe('the log', () => {
  it('has a line for each request, with its id, and nothing that the client sent', async () => {
    const lines: string[] = [];
    const { get, query } = await serve(temporaryStore(), {
      log: (line) => lines.push(line),
      logRequests: true,
    });
    const one = await get('/health?secret=canary');
    await one.text();
    const two = await query({
      query: 'query ($k: String!) { run(key: $k) { key } canary: __typename }',
      variables: { k: 'canary' },
    });
    await two.text();
    await expect.poll(() => lines).toHaveLength(2);
    const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(entries).toEqual([
      {
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        level: 'info',
        requestId: one.headers.get('x-request-id'),
        method: 'GET',
        path: '/health',
        route: '/health',
        status: 200,
        bytes: expect.any(Number),
        ms: expect.any(Number),
      },
      expect.objectContaining({
        requestId: two.headers.get('x-request-id'),
        method: 'POST',
        route: '/graphql',
        status: 200,
      }),
    ]);
    expect(lines.join()).not.toContain('canary');
  });

  it('is silent about requests unless asked', async () => {
    const lines: string[] = [];
    const { get } = await serve(temporaryStore(), { log: (line) => lines.push(line) });
    await (await get('/health')).text();
    expect(lines).toEqual([]);
  });
});

describe('stopping', () => {
  it('lets a request under way end, and takes no other', async () => {
    const server = await listen(createServer({ store: temporaryStore(), graphiql: false }), { port: 0 });
    const body = JSON.stringify({ query: '{ runs { totalCount } }' });
    const slow = request({
      port: server.port,
      path: '/graphql',
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Content-Length': body.length },
    });
    const answered = new Promise<string>((resolve, reject) => {
      slow.on('error', reject).on('response', (response) => {
        let text = '';
        response.on('data', (chunk) => (text += String(chunk))).on('end', () => resolve(text));
      });
    });
    await new Promise<void>((resolve) => slow.write(body.slice(0, 10), () => resolve()));
    await new Promise((resolve) => setTimeout(resolve, 50)); // until the server has its head
    const closed = server.close();
    await expect(fetch(`${server.url}/health`)).rejects.toThrow();
    slow.end(body.slice(10));
    expect(JSON.parse(await answered)).toEqual({ data: { runs: { totalCount: 0 } } });
    await closed;
  });
});
