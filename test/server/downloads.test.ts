import { describe, expect, it, vi } from 'vitest';
import { downloadBytesPerPoint } from '../../schema/limits.ts';
import { owner, type Viewer } from '../../src/db/index.ts';
import { exportAudit } from '../../src/server/audit.ts';
import type { Call } from '../../src/server/route.ts';
import { serve } from '../harness/serve.ts';
import { seedRun } from '../harness/synthetic-run.ts';
import { seedToken } from '../harness/teams.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const batch = (keys: readonly string[], headers = {}) => ({
  method: 'POST',
  headers: { 'Content-Type': 'application/json', ...headers },
  body: JSON.stringify({ keys }),
});

describe('a long download', () => {
  /** A server whose store takes longer than a turn to read a vector, and what it did: reads, and turns of the loop between. */
  async function slowly(positions: number) {
    const store = temporaryStore();
    const run = seedRun(store, { layers: [1], positions, tokens: 1 });
    const { vectors } = store.as(owner);
    const did: string[] = [];
    const read = vectors.read.bind(vectors);
    vi.spyOn(vectors, 'read').mockImplementation((vector) => {
      did.push('read');
      for (const begun = performance.now(); performance.now() - begun < 5;);
      return read(vector);
    });
    const locate = vectors.locate.bind(vectors);
    vi.spyOn(vectors, 'locate').mockImplementation((keys) => {
      did.push(`locate ${keys.length}`);
      return locate(keys);
    });
    let watching = true;
    const watch = () => {
      if (did.length > 0 && did.at(-1) !== 'turn') did.push('turn');
      if (watching) setImmediate(watch);
    };
    watch();
    const { get } = await serve(store);
    const whatWasDone = () => {
      watching = false;
      return did.filter((what, i) => what !== 'turn' || i < did.length - 1);
    };
    const keys = (count: number) =>
      Array.from(
        { length: count },
        (_, i) =>
          `${run.key}.L1.P${i % positions}/${['diff', 'base-mean', 'finetuned-mean'][Math.floor(i / positions)]}`,
      );
    return { get, run, keys, did, whatWasDone };
  }

  it('reads a batch in pieces between which others have their turn', async () => {
    const { get, keys, whatWasDone } = await slowly(3);
    await (await get('/v1/vectors:batch', batch(keys(4)))).arrayBuffer();
    const expected = ['locate 4', 'read', 'turn', 'read', 'turn', 'read', 'turn', 'read'];
    expect(whatWasDone()).toEqual(expected);
  });

  it('looks keys up in pieces, too', async () => {
    const { get, keys, whatWasDone } = await slowly(100);
    const missing = [...keys(299), 'none'];
    expect((await get('/v1/vectors:batch', batch(missing))).status).toBe(404);
    expect(whatWasDone()).toEqual(['locate 128', 'turn', 'locate 128', 'turn', 'locate 44']);
  });

  it('reads the file of a run in pieces, and keeps what it has read', async () => {
    const { get, run, did, whatWasDone } = await slowly(2);
    const path = `/v1/runs/${run.key}.safetensors`;
    const first = await (await get(path)).bytes();
    expect(did.filter((what) => what === 'read')).toHaveLength(6);
    expect(await (await get(path)).bytes()).toEqual(first);
    expect(whatWasDone().join(' ')).toBe('read turn read turn read turn read turn read turn read');
  });

  it('ends when the client goes away', async () => {
    const { get, keys, did } = await slowly(100);
    const leaving = new AbortController();
    await get('/v1/vectors:batch', { ...batch(keys(300)), signal: leaving.signal });
    leaving.abort();
    const reads = () => did.filter((what) => what === 'read').length;
    for (let before = -1; before !== reads();) {
      before = reads();
      await new Promise((resolve) => setTimeout(resolve, 30)); // several reads long
    }
    expect(reads()).toBeLessThan(300);
  });
});

describe('downloads of strangers', () => {
  async function shared(pointsPerHour: number) {
    const store = temporaryStore();
    const run = seedRun(store);
    const { headers, row } = seedToken(store);
    store.administration.share('organism', store.organisms.getById(run.organismId), {
      visibility: 'PUBLIC',
      team: store.teams.get('red'),
    });
    const lines: { level: string; message: string }[] = [];
    const log = (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[number]);
    const { get } = await serve(store, { pointsPerHour, log });
    const exports = () => store.auditLog.newest(100).filter(({ action }) => action.endsWith('.export'));
    return {
      get,
      run,
      row,
      headers,
      lines,
      exports,
      keys: [`${run.key}.L1.P0/diff`, `${run.key}.L1.P1/diff`],
    };
  }

  it('take points from their bucket, and of a token none', async () => {
    const { get, run, headers, keys } = await shared(100);
    const vector = `/v1/vectors/${keys[0]}`;
    const file = `/v1/runs/${run.key}.safetensors`;
    const left = async (path: string, init?: RequestInit) => {
      const { status, headers } = await get(path, init);
      return [status, Number(/r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1])];
    };
    expect(await left(vector)).toEqual([200, 99]); // 64 bytes
    expect(await left('/v1/vectors:batch', batch(keys))).toEqual([200, 96]); // a point a key, and one
    expect(await left(file, { method: 'HEAD' })).toEqual([200, 89]); // six places, and one
    expect(await left(file)).toEqual([200, 82]);
    expect(await left(file)).toEqual([200, 81]); // it is kept by now
    const etag = (await get(file, { method: 'HEAD' })).headers.get('etag')!;
    expect(await left(file, { headers: { 'If-None-Match': etag } })).toEqual([304, NaN]);
    const kept = await Promise.all(Array.from({ length: 80 }, () => left(file)));
    expect(kept.every(([status]) => status === 200)).toBe(true);

    const refused = await get(vector);
    expect([refused.status, await refused.json()]).toEqual([
      429,
      {
        code: 'RATE_LIMITED',
        message:
          'this download takes more points than you have left (1); come again after Retry-After, ask for a part of it with Range, or bring a token',
      },
    ]);
    expect(Object.fromEntries(refused.headers)).toMatchObject({
      'ratelimit-policy': '"graph";q=100;w=3600',
      ratelimit: expect.stringMatching(/^"graph";r=0;t=\d+$/),
      'retry-after': expect.stringMatching(/^\d+$/),
    });
    for (const name of ['etag', 'cache-control']) expect(refused.headers.get(name)).toBeNull();
    for (const init of [{ headers }, batch(keys, headers)])
      expect(await left('body' in init ? '/v1/vectors:batch' : vector, init)).toEqual([200, NaN]);
  });

  it('cost by what is sent', async () => {
    const store = temporaryStore();
    const run = seedRun(store, { layers: [0, 1], positions: 100, tokens: 1 });
    store.administration.share('organism', store.organisms.getById(run.organismId), { visibility: 'PUBLIC' });
    const { get } = await serve(store, { requireTokens: true, pointsPerHour: 1_000, log: () => undefined });
    const path = `/v1/runs/${run.key}.safetensors`;
    const whole = await (await get(path)).arrayBuffer();
    const points = Math.ceil(whole.byteLength / downloadBytesPerPoint);
    expect(points).toBe(3);
    expect((await get(path)).headers.get('ratelimit')).toContain(`r=${1_000 - 200 - 2 * points};`);
    const ranged = await get(path, { headers: { Range: 'bytes=1-2' } });
    expect(ranged.headers.get('ratelimit')).toContain(`r=${1_000 - 200 - 2 * points - 1};`);
  });

  it('are lines of the log and no rows; those of a token a row for each thing', async () => {
    const { get, run, row, headers, lines, exports, keys } = await shared(1_000);
    const file = `/v1/runs/${run.key}.safetensors`;
    for (const range of ['bytes=0-0', 'bytes=0-0', 'bytes=5-'])
      expect((await get(file, { headers: { Range: range } })).status).toBe(206);
    await get('/v1/vectors:batch', batch(keys));
    expect(exports()).toEqual([]);
    const audited = lines
      .filter(({ level }) => level === 'audit')
      .map(({ message }) => JSON.parse(message) as object);
    expect(audited).toEqual([
      ...Array.from({ length: 3 }, () => ({
        action: 'run.export',
        subject: run.key,
        viewer: 'ANONYMOUS',
        tokenId: null,
      })),
      {
        action: 'vectors.export',
        subject: expect.stringMatching(/^[0-9a-f]{64}$/),
        details: { vectors: 2, runs: [run.key] },
        viewer: 'ANONYMOUS',
        tokenId: null,
      },
    ]);
    for (const range of ['bytes=7-9', 'bytes=0-0', 'bytes=0-'])
      expect((await get(file, { headers: { ...headers, Range: range } })).status).toBe(206);
    for (const each of [keys, keys, keys.toReversed()]) await get('/v1/vectors:batch', batch(each, headers));
    expect(exports().map(({ action, tokenId }) => [action, tokenId])).toEqual([
      ['run.export', row.id],
      ['vectors.export', row.id],
      ['vectors.export', row.id],
    ]);
  });

  it('are rows anew after an hour', () => {
    const store = temporaryStore();
    let ms = 0;
    const audit = exportAudit(
      { store, access: { guarded: () => true, admit: () => true }, log: () => undefined },
      () => ms,
    );
    const viewer: Viewer = { ...owner, kind: 'TOKEN' };
    for (ms of [0, 3_599_999, 3_600_000, 3_600_001])
      audit({ viewer, id: String(ms), store } as Partial<Call> as Call, {
        action: 'run.export',
        subject: 'x',
      });
    expect(store.auditLog.newest(9).map(({ requestId }) => requestId)).toEqual(['0', '3600000']);
  });
});
