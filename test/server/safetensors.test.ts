import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSafetensors } from '../harness/safetensors.ts';
import { serve } from '../harness/serve.ts';
import { seedOrganism, seedRun, syntheticRun } from '../harness/synthetic-run.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const bodyOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

/** Tensors of a body, by the second reader. */
function parse(body: Buffer) {
  const file = join(temporaryFolder(), 'body.safetensors');
  writeFileSync(file, body);
  return readSafetensors(file);
}

const metadata = (body: Buffer) =>
  (
    JSON.parse(body.toString('utf8', 8, 8 + Number(body.readBigUInt64LE(0)))) as {
      __metadata__: Record<string, string>;
    }
  ).__metadata__;

const integers = (data: Buffer) =>
  Array.from({ length: data.length / 8 }, (_, i) => Number(data.readBigInt64LE(8 * i)));

describe('/v1/runs/{key}.safetensors', () => {
  async function served() {
    const store = temporaryStore();
    const run = seedRun(store);
    return { ...(await serve(store)), store, run, path: `/v1/runs/${run.key}.safetensors` };
  }

  it('has every vector of the run in its place, to the bit', async () => {
    const { get, path, store, run } = await served();
    const response = await get(path);
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      etag: `"${run.digest}"`,
      'content-disposition': `attachment; filename="${run.key}.safetensors"`,
      'cache-control': 'private, no-cache',
    });
    const body = await bodyOf(response);
    const tensors = parse(body);
    expect([...tensors].map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual([
      ['count', 'I64', [2, 3]],
      ['layers', 'I64', [2]],
      ['positions', 'I64', [3]],
      ['base_mean', 'F32', [2, 3, 16]],
      ['diff', 'F32', [2, 3, 16]],
      ['finetuned_mean', 'F32', [2, 3, 16]],
    ]);
    expect(integers(tensors.get('layers')!.data)).toEqual([1, 2]);
    expect(integers(tensors.get('positions')!.data)).toEqual([0, 1, 2]);
    expect(integers(tensors.get('count')!.data)).toEqual(Array(6).fill(100));
    for (const [name, slug] of [
      ['base_mean', 'base-mean'],
      ['diff', 'diff'],
      ['finetuned_mean', 'finetuned-mean'],
    ] as const) {
      const parts = [1, 2].flatMap((layer) =>
        [0, 1, 2].map((position) =>
          store.vectors.read(store.vectors.findByKey(`${run.key}.L${layer}.P${position}/${slug}`)!),
        ),
      );
      expect(tensors.get(name)!.data.equals(Buffer.concat(parts)), name).toBe(true);
    }
    expect(metadata(body)).toMatchObject({
      format: 'deltascope-run',
      key: run.key,
      digest: run.digest,
      samples: '100',
      parameters: '{"batch":8}',
    });
  });

  it('says with NaN and a count of 0 where a run measured nothing', async () => {
    const store = temporaryStore();
    const { organism, corpus } = seedOrganism(store);
    const record = syntheticRun({ organismId: organism.id, corpusId: corpus.id });
    record.layers[0]!.vectors.splice(1, 1);
    const run = store.runs.save(record);
    const { get } = await serve(store);
    const tensors = parse(await bodyOf(await get(`/v1/runs/${run.key}.safetensors`)));
    expect(integers(tensors.get('count')!.data)).toEqual([100, 0, 100, 100, 100, 100]);
    const diff = tensors.get('diff')!.data;
    const row = (i: number) => Array.from({ length: 16 }, (_, n) => diff.readFloatLE(4 * (16 * i + n)));
    expect(row(1).every(Number.isNaN)).toBe(true);
    expect(row(2).some(Number.isNaN)).toBe(false);
  });

  it('is the same bytes from another store, again, and by ranges', async () => {
    const [one, two] = [await served(), await served()];
    const whole = await bodyOf(await one.get(one.path));
    expect((await bodyOf(await two.get(two.path))).equals(whole)).toBe(true);
    expect((await bodyOf(await one.get(one.path))).equals(whole)).toBe(true);
    for (const [start, end] of [
      [0, 7],
      [5, 700],
      [whole.length - 100, whole.length - 1],
      [whole.length - 65, whole.length - 2],
    ] as const) {
      const response = await one.get(one.path, { headers: { Range: `bytes=${start}-${end}` } });
      expect([response.status, response.headers.get('content-range')]).toEqual([
        206,
        `bytes ${start}-${end}/${whole.length}`,
      ]);
      expect((await bodyOf(response)).equals(whole.subarray(start, end + 1))).toBe(true);
    }
    const head = await one.get(one.path, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(whole.length)]);
    const status = async (path: string, headers = {}) => (await one.get(path, { headers })).status;
    expect(await status(one.path, { 'If-None-Match': `"${one.run.digest}"` })).toBe(304);
    expect(await status(one.path, { Range: `bytes=${whole.length}-` })).toBe(416);
  });

  it('streams what is longer than it keeps, part by part', async () => {
    const store = temporaryStore();
    const run = seedRun(store, { layers: [0, 1, 2], positions: 100 });
    const { get } = await serve(store);
    const path = `/v1/runs/${run.key}.safetensors`;
    const head = await get(path, { method: 'HEAD' }); // its parts are not put together
    const body = await bodyOf(await get(path));
    expect(head.headers.get('content-length')).toBe(String(body.length));
    expect(parse(body).get('diff')!.shape).toEqual([3, 100, 16]);
  });

  it('serves a pinned result only', async () => {
    const { get, path, run } = await served();
    const pinned = await get(`${path}?digest=${run.digest}`);
    expect([pinned.status, pinned.headers.get('cache-control')]).toEqual([
      200,
      'private, max-age=31536000, immutable',
    ]);
    expect((await get(`${path}?digest=${'0'.repeat(64)}`)).status).toBe(404);
    expect((await get('/v1/runs/00000000000000000000.safetensors')).status).toBe(404);
  });

  it('is where the graph says', async () => {
    const { query, run } = await served();
    const answer = (await (
      await query({ query: `{ run(key: "${run.key}") { safetensorsUrl } }` })
    ).json()) as { data: { run: { safetensorsUrl: string } } };
    const response = await fetch(answer.data.run.safetensorsUrl);
    expect([response.status, response.headers.get('cache-control')]).toEqual([
      200,
      'private, max-age=31536000, immutable',
    ]);
  });
});

describe('/v1/vectors:batch', () => {
  async function served() {
    const store = temporaryStore();
    const run = seedRun(store, { positions: 5 });
    const server = await serve(store);
    const post = (body: unknown, headers: Record<string, string> = {}) =>
      server.get('/v1/vectors:batch', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
    return { ...server, store, run, post };
  }

  it('answers with the vectors in the order asked', async () => {
    const { post, run, store } = await served();
    const keys = [`${run.key}.L2.P4/diff`, `${run.key}.L1.P0/finetuned-mean`, `${run.key}.L1.P3/diff`];
    const response = await post({ keys });
    expect(response.status).toBe(200);
    const body = await bodyOf(response);
    const tensors = parse(body);
    expect([...tensors.keys()]).toEqual(keys);
    const data = keys.map((key) => store.vectors.read(store.vectors.findByKey(key)!));
    // In order and without gaps, so numpy.frombuffer reads all of them at once.
    expect(body.subarray(8 + Number(body.readBigUInt64LE(0))).equals(Buffer.concat(data))).toBe(true);
    for (const [i, key] of keys.entries())
      expect([tensors.get(key)!.shape, tensors.get(key)!.data]).toEqual([[16], data[i]]);
    expect(response.headers.get('etag')).toBe((await post({ keys })).headers.get('etag'));
    expect(response.headers.get('etag')).not.toBe(
      (await post({ keys: keys.toReversed() })).headers.get('etag'),
    );
  });

  const key = 'b51579670b0b3de5f08b.L1.P0/diff';
  it.each([
    ['no JSON', '{', 400, 'the body is not JSON'],
    ['no object', 'null', 400, 'keys must be a list of strings'],
    ['no keys', {}, 400, 'keys must be a list of strings'],
    ['numbers', { keys: [1] }, 400, 'keys must be a list of strings'],
    ['nothing', { keys: [] }, 400, 'keys must be 1 to 1024, not 0'],
    ['too many', { keys: Array.from({ length: 1_025 }, (_, i) => String(i)) }, 400, 'not 1025'],
    ['one twice', { keys: [key, key] }, 400, `"${key}" is asked for twice`],
    ['what is not there', { keys: [key] }, 404, `there is no vector "${key}" here`],
    ['a long body', { keys: ['x'.repeat(300_000)] }, 413, 'at most 262144 bytes'],
  ])('refuses %s', async (_, body, status, message) => {
    const { post } = await served();
    const response = await post(body);
    expect([response.status, ((await response.json()) as { message: string }).message]).toEqual([
      status,
      expect.stringContaining(message),
    ]);
  });

  it('refuses what a form of another site can send', async () => {
    const { post, get } = await served();
    expect((await post({ keys: [key] }, { 'Content-Type': 'text/plain' })).status).toBe(415);
    expect((await get('/v1/vectors:batch')).status).toBe(405);
  });
});
