import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../src/db/index.ts';
import { urlKeyBeside } from '../../src/server/url-key.ts';
import { urlSigner } from '../../src/server/url-signer.ts';
import { serve } from '../harness/serve.ts';
import { seedRun } from '../harness/synthetic-run.ts';
import { seedToken } from '../harness/teams.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

/** A server with two tokens of the team whose run it has. */
async function served() {
  const store = temporaryStore();
  const run = seedRun(store);
  const [anna, bert] = [seedToken(store), seedToken(store)];
  const organism = store.organisms.getById(run.organismId);
  store.administration.share('organism', organism, { visibility: 'TEAM', team: store.teams.get('red') });
  const lines: string[] = [];
  const server = await serve(store, { log: (line) => lines.push(line) });
  const ask = async (query: string) => {
    const response = await server.get('/graphql', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...anna.headers },
      body: JSON.stringify({ query }),
    });
    return (await response.json()) as {
      data: { diffVector: { diff: { url: string; npyUrl: string } }; run: { safetensorsUrl: string } };
      errors?: { extensions: { code: string } }[];
    };
  };
  const url = async (argument = '') =>
    (await ask(`{ diffVector(key: "${run.key}.L1.P0") { diff { url${argument} } } }`)).data.diffVector.diff
      .url;
  return { ...server, store, run, anna, bert, lines, ask, url };
}

const outcome = async (url: string | URL, init?: RequestInit) => {
  const response = await fetch(url, init);
  const code = response.ok ? undefined : ((await response.json()) as { code: string }).code;
  return [response.status, code];
};

describe('a server with tokens', () => {
  it('opens to a token and to a signed URL, and to nobody else', async () => {
    const { url, ask, run, get, anna } = await served();
    const signed = new URL(await url());
    expect(await outcome(signed)).toEqual([200, undefined]);
    expect((await fetch(signed, { method: 'HEAD' })).status).toBe(200);
    const bare = new URL(signed.pathname, signed);
    expect(await outcome(bare)).toEqual([404, 'NOT_FOUND']);
    expect(await outcome(bare, { headers: anna.headers })).toEqual([200, undefined]);
    expect(await outcome(bare, { headers: { 'X-API-Key': anna.secret } })).toEqual([200, undefined]);
    const { data } = await ask(
      `{ diffVector(key: "${run.key}.L1.P0") { diff { url npyUrl } } run(key: "${run.key}") { safetensorsUrl } }`,
    );
    expect(await outcome(data.diffVector.diff.npyUrl)).toEqual([200, undefined]);
    expect(await outcome(data.run.safetensorsUrl)).toEqual([200, undefined]);
    expect((await get('/health')).status).toBe(200);
  });

  it('opens to nothing but what was signed', async () => {
    const { url, run, bert } = await served();
    const signed = new URL(await url());
    const changes: Record<string, (url: URL) => void> = {
      path: (url) => (url.pathname = `/v1/vectors/${run.key}.L1.P1/diff`),
      format: (url) => (url.pathname += '.npy'),
      expiry: (url) => url.searchParams.set('expires', String(Number(url.searchParams.get('expires')) + 1)),
      token: (url) => url.searchParams.set('token', String(bert.row.id)),
      'no expiry': (url) => url.searchParams.delete('expires'),
      'short signature': (url) => url.searchParams.set('signature', 'AAAA'),
      'empty signature': (url) => url.searchParams.set('signature', ''),
    };
    for (const [name, change] of Object.entries(changes)) {
      const changed = new URL(signed);
      change(changed);
      changed.searchParams.delete('sha256');
      expect(await outcome(changed), name).toEqual([403, 'SIGNATURE_INVALID']);
    }
    const graph = new URL('/graphql?query={__typename}', signed);
    for (const [name, value] of signed.searchParams) graph.searchParams.set(name, value);
    graph.searchParams.set('query', '{ viewer { kind } organisms { totalCount } }');
    expect(await (await fetch(graph)).json()).toEqual({
      data: { viewer: { kind: 'ANONYMOUS' }, organisms: { totalCount: 0 } },
    });
  });

  it('closes with its token, also for another process', async () => {
    const { url, store, anna } = await served();
    const signed = await url();
    const other = openStore(store.file);
    other.administration.revokeToken(anna.row.id);
    other.close();
    expect(await outcome(signed)).toEqual([403, 'SIGNATURE_INVALID']);
  });

  it('signs for a time of the asker’s choice, up to a day', async () => {
    const { url, ask, run } = await served();
    const seconds = async (argument?: string) =>
      Number(new URL(await url(argument)).searchParams.get('expires')) - Date.now() / 1_000;
    for (const [argument, expected] of [
      [undefined, 900],
      ['(expiresIn: 60)', 60],
      ['(expiresIn: 86400)', 86_400],
    ] as const) {
      const found = await seconds(argument);
      expect(Math.abs(found - expected), argument).toBeLessThan(5);
    }
    for (const bad of [0, -1, 86_401]) {
      const { errors } = await ask(
        `{ diffVector(key: "${run.key}.L1.P0") { diff { url(expiresIn: ${bad}) } } }`,
      );
      expect(errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT');
    }
  });

  it('keeps queries of URLs out of the log', async () => {
    const { url, store, lines } = await served();
    const signed = await url();
    store.close(); // every read fails from here on
    expect(await outcome(signed)).toEqual([500, 'INTERNAL']);
    const log = lines.join('\n');
    expect(log).toContain('/v1/vectors/');
    expect(log).not.toContain('signature=');
    expect(log).not.toContain(new URL(signed).searchParams.get('signature'));
  });
});

it('a signature ends when its time is over', () => {
  let now = 1_000_000;
  const signer = urlSigner(Buffer.alloc(32, 7), () => now);
  const anna = { id: 7, hash: 'a'.repeat(64), teamId: 2 };
  const search = new URLSearchParams(signer.sign('/x', anna, 60));
  now += 59_999;
  expect(signer.verify('/x', search, anna)).toBe('VALID');
  for (const other of [{ id: 8 }, { hash: 'b'.repeat(64) }, { teamId: 3 }, { teamId: null }])
    expect(signer.verify('/x', search, { ...anna, ...other })).toBe('INVALID');
  now += 1;
  expect(signer.verify('/x', search, anna)).toBe('EXPIRED');
  expect(urlSigner(Buffer.alloc(32, 8), () => 0).verify('/x', search, anna)).toBe('INVALID');
});

describe('the key of the signatures', () => {
  it('stays beside the store, for its owner alone', () => {
    const store = join(temporaryFolder(), 'store.sqlite');
    const key = urlKeyBeside(store);
    expect(key).toHaveLength(32);
    expect(urlKeyBeside(store).equals(key)).toBe(true);
    expect(statSync(`${store}.url-key`).mode & 0o777).toBe(0o600);
    expect(urlKeyBeside(join(temporaryFolder(), 'store.sqlite')).equals(key)).toBe(false);
  });

  it('is refused when it is damaged', () => {
    const store = join(temporaryFolder(), 'store.sqlite');
    writeFileSync(`${store}.url-key`, 'short');
    expect(() => urlKeyBeside(store)).toThrow('has 5 bytes instead of 32');
    expect(readFileSync(`${store}.url-key`, 'utf8')).toBe('short');
  });

  it('ends with the process where no file can be made', () => {
    const store = join(temporaryFolder(), 'missing', 'store.sqlite');
    expect(urlKeyBeside(store).equals(urlKeyBeside(store))).toBe(false);
  });
});
