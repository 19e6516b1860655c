import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { byteRange } from '../../src/lib/byte-range.ts';
import { npyHeader } from '../../src/lib/npy.ts';
import { sha256 } from '../../src/lib/sha256.ts';
import { seedRun } from '../harness/synthetic-run.ts';
import { serve } from '../harness/serve.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const numpy = spawnSync('python3', ['-c', 'import numpy']).status === 0;

async function served() {
  const store = temporaryStore();
  const run = seedRun(store);
  const vector = store.vectors.findByKey(`${run.key}.L1.P2/base-mean`)!;
  return {
    ...(await serve(store)),
    store,
    vector,
    data: store.vectors.read(vector),
    path: `/v1/vectors/${vector.key}`,
  };
}

const bodyOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

describe('/v1/vectors', () => {
  it('serves the raw bytes and says what they are', async () => {
    const { get, path, data, vector } = await served();
    const response = await get(path);
    expect(response.status).toBe(200);
    expect((await bodyOf(response)).equals(data)).toBe(true);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      etag: `"${sha256(data)}"`,
      'x-dtype': 'float32',
      'x-shape': '16',
      'content-type': 'application/octet-stream',
      'content-length': '64',
      'content-disposition': `attachment; filename="${vector.key.replace('/', '.')}.f32"`,
      'cache-control': 'private, no-cache',
      'x-content-type-options': 'nosniff',
    });
  });

  it('serves a .npy whose header is as numpy writes it', async () => {
    const { get, path, data } = await served();
    const response = await get(`${path}.npy`);
    const body = await bodyOf(response);
    expect(body.subarray(0, 8).toString('latin1')).toBe('\x93NUMPY\x01\x00');
    const length = 10 + body.readUInt16LE(8);
    expect(length % 64).toBe(0);
    expect(body.subarray(10, length).toString()).toMatch(
      /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(16,\), \} *\n$/,
    );
    expect(body.subarray(length).equals(data)).toBe(true);
    expect(response.headers.get('etag')).toBe(`"${sha256(data)}-npy"`);
  });

  it.runIf(numpy)('serves a .npy that numpy reads to the bit', async () => {
    const { get, path, data } = await served();
    const file = join(temporaryFolder(), 'vector.npy');
    writeFileSync(file, await bodyOf(await get(`${path}.npy`)));
    const script =
      'import numpy, sys; a = numpy.load(sys.argv[1]); print(a.dtype.str, a.shape, a.tobytes().hex())';
    expect(execFileSync('python3', ['-c', script, file]).toString()).toBe(
      `<f4 (16,) ${data.toString('hex')}\n`,
    );
  });

  it('answers HEAD with the headers of GET and no body', async () => {
    const { get, path } = await served();
    for (const suffix of ['', '.npy']) {
      const [head, whole] = [await get(path + suffix, { method: 'HEAD' }), await get(path + suffix)];
      expect(head.status).toBe(200);
      expect(await head.text()).toBe('');
      for (const name of ['etag', 'content-length', 'x-shape', 'content-disposition']) {
        expect(head.headers.get(name), name).toBe(whole.headers.get(name));
      }
    }
  });

  it('answers 304 to who has it, whatever the list or W/, and 200 to who has the other format', async () => {
    const { get, path, vector } = await served();
    const status = async (tag: string, suffix = '') =>
      (await get(path + suffix, { headers: { 'If-None-Match': tag } })).status;
    const tag = `"${vector.sha256}"`;
    expect(await Promise.all([tag, `W/${tag}`, `"x", ${tag}`, '*'].map((each) => status(each)))).toEqual([
      304, 304, 304, 304,
    ]);
    expect(await status('"x"')).toBe(200);
    expect(await status(tag, '.npy')).toBe(200);
    expect(await status(`"${vector.sha256}-npy"`, '.npy')).toBe(304);
  });

  it('may be kept for good when the content is asked for by its digest, and is not there under another', async () => {
    const { get, path, vector } = await served();
    const pinned = await get(`${path}?sha256=${vector.sha256}`);
    expect(pinned.headers.get('cache-control')).toBe('private, max-age=31536000, immutable');
    expect((await get(`${path}?sha256=${'0'.repeat(64)}`)).status).toBe(404);
  });

  it('serves a range, and the whole when the range is not understood', async () => {
    const { get, path, data } = await served();
    const ranged = await get(path, { headers: { Range: 'bytes=4-11' } });
    expect([ranged.status, ranged.headers.get('content-range')]).toEqual([206, 'bytes 4-11/64']);
    expect((await bodyOf(ranged)).equals(data.subarray(4, 12))).toBe(true);
    const stale = await get(path, { headers: { Range: 'bytes=4-11', 'If-Range': '"old"' } });
    expect([stale.status, (await bodyOf(stale)).length]).toEqual([200, 64]);
    const beyond = await get(path, { headers: { Range: 'bytes=64-' } });
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, 'bytes */64']);
  });

  it('answers 404 for a vector that is not there, in JSON', async () => {
    const { get, vector } = await served();
    const run = vector.diffVector.layer.run.key;
    for (const key of [
      `${run}.L1.P2`,
      `${run}.L1.P2/DIFF`,
      `${run}.L1.P9/diff`,
      'x',
      `${run}.L1.P2%2Fdiff`,
      '../../etc',
    ]) {
      const response = await get(`/v1/vectors/${key}`);
      expect(response.status, key).toBe(404);
      expect(await response.json(), key).toMatchObject({ code: 'NOT_FOUND', message: expect.any(String) });
    }
  });

  it('answers 405 to other methods and says which there are', async () => {
    const { get, path } = await served();
    const response = await get(path, { method: 'POST' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect(await response.json()).toMatchObject({ code: 'METHOD_NOT_ALLOWED' });
  });
});

it('npyHeader aligns the data for any shape', () => {
  for (const shape of [[], [0], [7], [2, 3], [123456789, 123456789, 123456789]]) {
    expect(npyHeader(shape).length % 64).toBe(0);
    expect(npyHeader(shape).at(-1)).toBe(10);
  }
});

it.each([
  [undefined, undefined],
  ['bytes=0-0', { start: 0, end: 0 }],
  ['bytes=5-', { start: 5, end: 9 }],
  ['bytes=-3', { start: 7, end: 9 }],
  ['bytes=-30', { start: 0, end: 9 }],
  ['bytes=2-99', { start: 2, end: 9 }],
  ['bytes=10-', 'unsatisfiable'],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=3-2', undefined],
  ['bytes=0-1,4-5', undefined],
  ['bytes=-', undefined],
  ['lines=0-1', undefined],
])('byteRange of %s', (header, expected) => {
  expect(byteRange(header, 10)).toEqual(expected);
});
