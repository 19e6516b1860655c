import { describe, expect, it } from 'vitest';
import { bearer, openStore } from '../../src/db/index.ts';
import { isAccessToken, newAccessToken, prefixOf } from '../../src/lib/access-token.ts';
import { createServer, listen } from '../../src/server/index.ts';
import { allowedHosts } from '../../src/server/allowed-hosts.ts';
import { sha256 } from '../../src/lib/sha256.ts';
import { serve } from '../harness/serve.ts';
import { seedRun, syntheticModel } from '../harness/synthetic-run.ts';
import { seedToken } from '../harness/teams.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

type Headers = Record<string, string>;

async function served() {
  const store = temporaryStore();
  const run = seedRun(store);
  const organism = store.organisms.getById(run.organismId);
  const server = await serve(store);
  const post = (query: string, headers: Headers = {}) =>
    server.get('/graphql', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: JSON.stringify({ query }),
    });
  const ask = async (query: string, headers: Headers = {}) => (await post(query, headers)).json();
  const viewer = async (headers?: Headers) => {
    const response = await post('{ viewer { kind team scopes } }', headers);
    return response.ok ? ((await response.json()) as { data: object }).data : response.status;
  };
  return { ...server, store, run, organism, post, ask, viewer };
}

describe('a token', () => {
  it('checks itself', () => {
    const token = newAccessToken();
    expect(token).toMatch(/^dscp_[0-9A-Za-z]{36}$/);
    expect(isAccessToken(token)).toBe(true);
    expect(prefixOf(token)).toBe(token.slice(5, 13));
    for (let i = 0; i < token.length; i++) {
      const other = `${token.slice(0, i)}${token[i] === 'x' ? 'y' : 'x'}${token.slice(i + 1)}`;
      expect(isAccessToken(other), other).toBe(false);
    }
    expect(isAccessToken(`${token} `)).toBe(false);
    expect(new Set(Array.from({ length: 100 }, newAccessToken)).size).toBe(100);
  });

  it('is kept as a hash, and nowhere else', async () => {
    const { store, viewer } = await served();
    const { secret, row, headers } = seedToken(store);
    expect(row.hash).toBe(sha256(secret));
    await viewer(headers);
    expect(JSON.stringify([store.accessTokens.list(), store.auditLog.newest(100)])).not.toContain(secret);
  });
});

describe('who comes', () => {
  it('is the owner until the store has a token, for good', async () => {
    const { store, viewer } = await served();
    const all = ['read', 'write', 'jobs:run', 'import', 'admin'];
    expect(await viewer()).toEqual({ viewer: { kind: 'OWNER', team: null, scopes: all } });
    const { row, headers } = seedToken(store, 'red', ['write']);
    expect(await viewer()).toEqual({ viewer: { kind: 'ANONYMOUS', team: null, scopes: [] } });
    expect(await viewer(headers)).toEqual({
      viewer: { kind: 'TOKEN', team: 'red', scopes: ['read', 'write'] },
    });
    store.administration.revokeToken(row.id);
    expect(await viewer()).toEqual({ viewer: { kind: 'ANONYMOUS', team: null, scopes: [] } });
    expect(await viewer(headers)).toBe(401);
  });

  it('is a stranger from the start where tokens are required', async () => {
    const store = temporaryStore();
    seedRun(store);
    const { query } = await serve(store, { requireTokens: true });
    const answer = await (await query({ query: '{ viewer { kind } organisms { totalCount } }' })).json();
    expect(answer).toEqual({ data: { viewer: { kind: 'ANONYMOUS' }, organisms: { totalCount: 0 } } });
  });

  it('is told the same of every text that is no valid token, and the log has how many', async () => {
    const { store, post } = await served();
    const { headers, row } = seedToken(store);
    const expired = seedToken(store, 'red', ['read'], 0);
    store.administration.revokeToken(row.id);
    const bodies = new Set<string>();
    const bad: Headers[] = [
      headers,
      expired.headers,
      { Authorization: `Bearer ${newAccessToken()}` },
      { Authorization: 'Bearer dscp_x' },
      { Authorization: 'Basic YTpi' },
      { 'X-API-Key': 'x' },
      { ...expired.headers, 'X-API-Key': newAccessToken() },
    ];
    for (const each of [...bad, ...bad]) {
      const response = await post('{ __typename }', each);
      expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
      bodies.add(await response.text());
    }
    expect(bodies.size).toBe(1);
    const refused = store.auditLog.newest(100).filter(({ action }) => action === 'token.refused');
    expect(refused.map(({ subject, details }) => [subject, details])).toEqual([
      [String(row.id), { reason: 'REVOKED', times: 1 }],
      [String(expired.row.id), { reason: 'EXPIRED', times: 1 }],
      [null, { reason: 'UNKNOWN', times: 1 }],
      [null, { reason: 'MALFORMED', times: 1 }],
    ]);
  });

  it('does what the scopes of the token say', async () => {
    const { store, ask, organism, get } = await served();
    const reader = seedToken(store, 'red', ['read']);
    const writer = seedToken(store, 'red', ['write']);
    store.administration.share('organism', organism, { visibility: 'TEAM', team: store.teams.get('red') });
    const update =
      'mutation { organismUpdate(input: { name: "tiny-cake", kind: "EM" }) { organism { kind } userErrors { code } } }';
    const code = (answer: unknown) => (answer as { errors: { extensions: object }[] }).errors[0]?.extensions;
    expect(code(await ask(update))).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(code(await ask(update, reader.headers))).toMatchObject({ code: 'FORBIDDEN' });
    expect(await ask(update, writer.headers)).toEqual({
      data: { organismUpdate: { organism: { kind: 'EM' }, userErrors: [] } },
    });
    const cancel = 'mutation { jobCancel(input: { key: "x" }) { userErrors { code } } }';
    expect(code(await ask(cancel, writer.headers))).toMatchObject({ code: 'FORBIDDEN' });
    expect([
      (await get('/metrics')).status,
      (await get('/metrics', { headers: writer.headers })).status,
    ]).toEqual([401, 403]);
    const admin = store.administration.createToken({ label: 'admin', scopes: ['admin'], team: null });
    expect((await get('/metrics', { headers: { 'X-API-Key': admin.secret } })).status).toBe(200);
    for (const path of ['/health', '/ready']) expect((await get(path)).status).toBe(200);
  });

  it('is told which part of a change of visibility cannot be', async () => {
    const { store, ask, organism } = await served();
    const [anna, bert] = [seedToken(store), seedToken(store)];
    store.administration.share('organism', organism, { visibility: 'TEAM', team: store.teams.get('red') });
    store.as(bearer(anna.row)).models.add({ ...syntheticModel, name: 'own' });
    const admin = store.administration.createToken({ label: 'admin', scopes: ['admin'], team: null });
    const set = (type: string, name: string, headers: Headers) =>
      ask(
        `mutation { visibilitySet(input: { subject: "${Buffer.from(`${type}:${name}`).toString('base64')}", visibility: PRIVATE }) { userErrors { code message field } } }`,
        headers,
      );
    const told = (code: string, message: string) => ({
      data: { visibilitySet: { userErrors: [{ code, message, field: ['input', 'visibility'] }] } },
    });
    expect(await set('BaseModel', 'own', bert.headers)).toEqual(
      told('FORBIDDEN', 'Only the token that registered this model can keep it to itself.'),
    );
    expect(await set('Organism', 'tiny-cake', { 'X-API-Key': admin.secret })).toEqual(
      told(
        'INVALID',
        'PRIVATE is for the token that registered a thing, and the team of this organism has no such token any more; TEAM shows it to that team alone.',
      ),
    );
    expect(await set('BaseModel', 'own', anna.headers)).toEqual({
      data: { visibilitySet: { userErrors: [] } },
    });
  });

  it('learns of the schema with a token', async () => {
    const { store, ask } = await served();
    const { headers } = seedToken(store);
    const asked = '{ __schema { queryType { name } } }';
    expect(await ask(asked, headers)).toEqual({ data: { __schema: { queryType: { name: 'Query' } } } });
    for (let use = 0; use < 3; use++)
      expect(
        await ask(`query { a: __typename ...f } fragment f on Query { x: __type(name: "Run") { name } }`),
      ).toMatchObject({
        errors: [{ extensions: { code: 'UNAUTHENTICATED' } }],
      });
    const wrong = '{ organism(name: "x") { nam } }';
    const variable = '{ run(key: "x") { heatMap(statistic: NORN) { shape } } }';
    for (const query of [wrong, variable]) {
      expect(JSON.stringify(await ask(query, headers))).toContain('Did you mean');
      expect(JSON.stringify(await ask(query))).not.toContain('Did you mean');
    }
  });
});

describe('a run that is shared and a base and a corpus that are not', () => {
  it('shows the run without them, and no condition or order tells of them', async () => {
    const { store, ask, organism } = await served();
    seedRun(store, { organism: 'tiny-other', seed: 2 });
    seedToken(store);
    for (const row of [organism, store.organisms.get('tiny-other')])
      store.administration.share('organism', row, { visibility: 'PUBLIC' });
    expect(
      await ask(
        '{ organism(name: "tiny-cake") { baseModel { name } latestRun { baseModel { name } corpus { name } samples } } }',
      ),
    ).toEqual({
      data: { organism: { baseModel: null, latestRun: { baseModel: null, corpus: null, samples: 100 } } },
    });
    const total = async (query: string) =>
      Object.values(
        ((await ask(`{ ${query} { totalCount } }`)) as { data: Record<string, { totalCount: number }> }).data,
      )[0]?.totalCount;
    for (const [name, other] of [
      ['tiny-base', 'none'],
      ['probe', 'none'],
    ] as const) {
      const field = name === 'probe' ? 'corpus' : 'organism: { baseModel';
      const end = name === 'probe' ? '' : ' }';
      for (const text of [name, other]) {
        expect(await total(`runs(where: { ${field}: { eq: "${text}" }${end} })`), text).toBe(0);
        expect(await total(`runs(where: { not: { ${field}: { eq: "${text}" }${end} } })`), text).toBe(2);
        expect(await total(`runs(where: { ${field}: { isNull: false }${end} })`), text).toBe(0);
      }
    }
    const ordered = (await ask(
      '{ organisms(orderBy: [{ field: BASE_MODEL }]) { edges { cursor node { name } } } }',
    )) as {
      data: { organisms: { edges: { cursor: string }[] } };
    };
    for (const { cursor } of ordered.data.organisms.edges)
      expect(Buffer.from(cursor, 'base64url').toString('latin1')).not.toContain('tiny-base');
    store.administration.share('model', store.models.get('tiny-base'), { visibility: 'UNLISTED' });
    expect(await total('runs(where: { organism: { baseModel: { eq: "tiny-base" } } })')).toBe(2);
  });
});

describe('an end of a token', () => {
  it('ends its streams and its jobs', async () => {
    const { store, get, organism } = await served();
    const { row, headers } = seedToken(store);
    store.administration.share('organism', organism, { visibility: 'TEAM', team: store.teams.get('red') });
    const own = store.as({ ...store.viewer, kind: 'TOKEN', all: false, teamId: row.teamId, tokenId: row.id });
    const { key } = own.jobs.add({
      kind: 'run',
      spec: {},
      identity: 'a'.repeat(64),
      organismId: organism.id,
    });
    const response = await get(`/v1/jobs/${key}/events`, { headers });
    expect(response.status).toBe(200);
    const other = openStore(store.file); // another process
    other.administration.revokeToken(row.id);
    other.close();
    await response.text(); // ends
    expect(store.jobs.get(key).state).toBe('CANCELLED');
    expect((await get(`/v1/jobs/${key}/events`, { headers })).status).toBe(401);
    expect(() => store.viewerOf(store.jobs.get(key))).toThrow('has been revoked');
  });
});

describe('the audit log', () => {
  it('has what was done, by whom and in which request', async () => {
    const { store, post, get, run, organism } = await served();
    const { row, headers } = seedToken(store);
    store.administration.share('organism', organism, { visibility: 'TEAM', team: store.teams.get('red') });
    const tagged = await post(
      `mutation { tagAdd(input: { subject: "${Buffer.from('Organism:tiny-cake').toString('base64')}", tag: "x" }) { userErrors { code } } }`,
      headers,
    );
    const file = await get(`/v1/runs/${run.key}.safetensors`, { headers });
    await file.arrayBuffer();
    await get(`/v1/runs/${run.key}.safetensors`, { headers, method: 'HEAD' });
    await get(`/v1/runs/${run.key}.safetensors`, { headers: { ...headers, 'If-None-Match': '*' } });
    const batch = await get('/v1/vectors:batch', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: JSON.stringify({ keys: [`${run.key}.L1.P0/diff`] }),
    });
    await batch.arrayBuffer();
    const id = (response: Response) => response.headers.get('x-request-id');
    expect(
      store.auditLog
        .newest(100)
        .map(({ viewer, tokenId, action, requestId }) => [viewer, tokenId, action, requestId]),
    ).toEqual([
      ['OWNER', null, 'team.create', null],
      ['OWNER', null, 'token.create', null],
      ['OWNER', null, 'visibilitySet', null],
      ['TOKEN', row.id, 'tagAdd', id(tagged)],
      ['TOKEN', row.id, 'run.export', id(file)],
      ['TOKEN', row.id, 'vectors.export', id(batch)],
    ]);
    expect(store.auditLog.verify()).toMatchObject({ rows: 6, brokenAt: null });
  });
});

describe('addresses and names', () => {
  it('listens beyond loopback with tokens only', async () => {
    const store = temporaryStore();
    const server = createServer({ store, graphiql: false });
    await expect(listen(server, { host: '0.0.0.0', port: 0 })).rejects.toMatchObject({
      code: 'ADDRESS_NEEDS_TOKENS',
    });
    const { close } = await listen(server, { host: '0.0.0.0', port: 0, tokens: true });
    await close();
  });

  it('answers to names of this machine, those it was told, and the address that was reached', () => {
    const isAllowed = allowedHosts(['Probe.example.org']);
    const reached = { localAddress: '::ffff:10.0.0.7' };
    for (const good of [
      'localhost',
      'LOCALHOST:80',
      '127.0.0.1:4680',
      '[::1]:1',
      'probe.example.org:4680',
      '10.0.0.7',
    ])
      expect(isAllowed(good, reached), good).toBe(true);
    for (const bad of [
      undefined,
      '',
      'example.org',
      'probe.example.org.evil.org',
      '10.0.0.8',
      'localhost.evil.org',
      'a b',
    ])
      expect(isAllowed(bad, reached), bad).toBe(false);
  });
});
