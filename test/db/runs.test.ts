import { execFileSync } from 'node:child_process';
import BetterSqlite3 from 'better-sqlite3';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  InvalidRunError,
  openStore,
  readCertificate,
  runKey,
  type RunRecord,
  type Store,
} from '../../src/db/index.ts';
import { float32Bytes } from '../../src/lib/float32-bytes.ts';
import { sha256 } from '../../src/lib/sha256.ts';
import { seedOrganism, seedRun, syntheticRun } from '../harness/synthetic-run.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

function prepared(): { store: Store; record: RunRecord } {
  const store = temporaryStore();
  const { organism, corpus } = seedOrganism(store);
  return { store, record: syntheticRun({ organismId: organism.id, corpusId: corpus.id }) };
}

/** Rows in each table that a run fills. */
function rowCounts(file: string): Record<string, number> {
  const sqlite = new BetterSqlite3(file, { readonly: true });
  const tables = ['runs', 'run_layers', 'diff_vectors', 'vector_data', 'projections', 'projection_tokens'];
  const counts = tables.map((table) => [
    table,
    sqlite.prepare(`select count(*) from ${table}`).pluck().get(),
  ]);
  sqlite.close();
  return Object.fromEntries(counts) as Record<string, number>;
}

describe('saving a run', () => {
  it('keeps everything that made it', () => {
    const { store, record } = prepared();
    const { layers: _, certificate, ...provenance } = record;
    const run = store.runs.save(record);
    expect(run).toMatchObject({ ...provenance, key: runKey(record.spec), dModel: 16 });
    expect(readCertificate(run.certificate)).toEqual(certificate);
    expect(run.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(store.runs.findByKey(run.key)).toEqual(run);
  });

  it('makes its key of the spec, whatever the order of its members', () => {
    expect(runKey({ a: 1, b: { c: [2], d: null } })).toBe(runKey({ b: { d: null, c: [2] }, a: 1 }));
    expect(runKey({ a: 1 })).toBe(sha256('{"a":1}').slice(0, 20));
    expect(() => runKey({ a: NaN })).toThrow('NaN has no JSON form');
  });

  it('saves the same run once, and returns the first unchanged', () => {
    const { store, record } = prepared();
    const first = store.runs.save(record);
    expect(store.runs.save({ ...record, samples: 7, layers: [] })).toEqual(first);
    expect(store.runs.all.count(null, {})).toBe(1);
  });

  it('has a digest that numbers and tokens change, and device, duration and local names do not', () => {
    const digestOf = (change: (record: RunRecord) => void) => {
      const { store, record } = prepared();
      change(record);
      return store.runs.save(record).digest;
    };
    const plain = digestOf(() => undefined);
    expect(digestOf((record) => void ((record.device = 'cuda'), (record.durationMs = 1)))).toBe(plain);
    expect(digestOf((record) => void (record.spec['organism'] = 'another name'))).toBe(plain);
    expect(digestOf((record) => void (record.layers[1]!.vectors[2]!.diff[15] = 0.5))).not.toBe(plain);
    expect(
      digestOf((record) => void (record.layers[0]!.vectors[0]!.projections[1]!.tokens[3]!.tokenId = 0)),
    ).not.toBe(plain);
  });

  it('computes norms and cosine in float64', () => {
    const { store, record } = prepared();
    const vector = record.layers[0]!.vectors[0]!;
    vector.diff.fill(0).set([3, 4]);
    vector.baseMean.fill(0).set([1, 1]);
    vector.finetunedMean.fill(0).set([1]);
    const run = store.runs.save(record);
    const saved = store.diffVectors.findByKey(`${run.key}.L1.P0`);
    expect(saved).toMatchObject({ norm: 5, baseMeanNorm: Math.SQRT2, finetunedMeanNorm: 1 });
    expect(saved?.cosineBaseFinetuned).toBeCloseTo(Math.SQRT1_2, 15);
  });

  it('turns what is not finite, or has no angle, into null', () => {
    const { store, record } = prepared();
    const layer = record.layers[0]!;
    layer.baseNorm = Infinity;
    const [first, second] = [layer.vectors[0]!, layer.vectors[1]!];
    first.diff[3] = NaN;
    first.splitHalfCosine = NaN;
    first.projections[0]!.tokens[0]!.probability = -Infinity;
    second.baseMean.fill(0);
    const modules = [{ module: 'lm_head', changeNorm: Infinity, replaced: true }];
    record.certificate = { ...record.certificate, adapter: { ...record.certificate.adapter!, modules } };
    const run = store.runs.save(record);
    const vector = store.diffVectors.findByKey(`${run.key}.L1.P0`);
    expect(vector).toMatchObject({ norm: null, splitHalfCosine: null, layer: { baseNorm: null } });
    expect(store.diffVectors.findByKey(`${run.key}.L1.P1`)?.cosineBaseFinetuned).toBeNull();
    expect(store.tokens.findByKey(`${run.key}.L1.P0.logit-lens.diff.promoted.0`)?.probability).toBeNull();
    expect(readCertificate(run.certificate).adapter?.modules[0]?.changeNorm).toBeNull();
  });

  it('keeps every bit of a vector: -0, subnormals, infinities, NaN payloads', () => {
    const { store, record } = prepared();
    const bits = new Uint32Array([
      0x80000000, 0x00000001, 0x807fffff, 0x7f800000, 0xff800000, 0x7fc00001, 0x7f800001, 0xffc12345,
      0x3f800000, 0, 1, 2, 3, 4, 5, 0x7f7fffff,
    ]);
    record.layers[0]!.vectors[0]!.diff = new Float32Array(bits.buffer);
    const run = store.runs.save(record);
    const vector = store.vectors.findByKey(`${run.key}.L1.P0/diff`)!;
    const data = store.vectors.read(vector);
    expect(Array.from(bits, (_, i) => data.readUInt32LE(4 * i))).toEqual([...bits]);
    expect(vector).toMatchObject({ byteLength: 64, sha256: sha256(data) });
  });

  it('saves a vector that is a view into a bigger buffer', () => {
    const { store, record } = prepared();
    const all = Float32Array.from({ length: 48 }, (_, i) => i);
    record.layers[0]!.vectors[0]!.diff = all.subarray(16, 32);
    const run = store.runs.save(record);
    const vector = store.vectors.findByKey(`${run.key}.L1.P0/diff`)!;
    expect(store.vectors.read(vector).equals(float32Bytes(all.slice(16, 32)))).toBe(true);
  });

  it('refuses to serve numbers that are no longer those it saved', () => {
    const file = join(temporaryFolder(), 'store.sqlite');
    const store = openStore(file);
    const run = seedRun(store);
    const other = new BetterSqlite3(file);
    other.exec('update vector_data set data = zeroblob(64) where id = 1');
    other.close();
    const vector = store.vectors.findByKey(`${run.key}.L1.P0/diff`)!;
    expect(() => store.vectors.read(vector)).toThrow(expect.objectContaining({ code: 'STORE_CORRUPT' }));
    store.close();
  });

  it.each<[string, (record: RunRecord) => void]>([
    ['a run needs at least one layer', (record) => void (record.layers = [])],
    ['layer 4 is outside 0..3, the layers of "tiny-base"', (record) => void (record.layers[1]!.layer = 4)],
    [
      'layer 2, position 3: position is outside 0..2',
      (record) => void (record.layers[1]!.vectors[2]!.position = 3),
    ],
    [
      'layer 2, position 2: baseMean has 15 numbers, d_model of "tiny-base" is 16',
      (record) => void (record.layers[1]!.vectors[2]!.baseMean = new Float32Array(15)),
    ],
    [
      'method "Logit Lens" is not of the form',
      (record) => void (record.layers[1]!.vectors[2]!.projections[1]!.method = 'Logit Lens'),
    ],
  ])('refuses a record that contradicts itself: %s', (message, spoil) => {
    const { store, record } = prepared();
    spoil(record);
    expect(() => store.runs.save(record)).toThrow(InvalidRunError);
    expect(() => store.runs.save(record)).toThrow(message);
    expect(store.runs.all.count(null, {})).toBe(0);
  });

  it('leaves nothing when it fails at the very last row', () => {
    const file = join(temporaryFolder(), 'store.sqlite');
    const store = openStore(file);
    const { organism, corpus } = seedOrganism(store);
    const record = syntheticRun({ organismId: organism.id, corpusId: corpus.id });
    record.layers[1]!.vectors[2]!.projections[1]!.tokens[3]!.tokenId = 0.5; // no integer: the table refuses it
    expect(() => store.runs.save(record)).toThrow(/cannot store REAL value in INTEGER column/);
    store.close();
    expect(new Set(Object.values(rowCounts(file)))).toEqual(new Set([0]));
  });

  it('leaves nothing when the process is killed at any moment of it', () => {
    // The child kills itself at its n-th look at the last tokens, for n = 1, 2, … until it survives.
    const child = `
      import { openStore } from './src/db/index.ts';
      import { seedOrganism, syntheticRun } from './test/harness/synthetic-run.ts';
      const [file, n] = process.argv.slice(1);
      const store = openStore(file);
      const { organism, corpus } = seedOrganism(store);
      const record = syntheticRun({ organismId: organism.id, corpusId: corpus.id });
      const last = record.layers[1].vectors[2].projections[1];
      const { tokens } = last;
      let looks = 0;
      Object.defineProperty(last, 'tokens', {
        enumerable: true,
        get: () => (++looks === Number(n) ? process.kill(process.pid, 'SIGKILL') : tokens),
      });
      store.runs.save(record);
      store.close();`;
    const survives = (file: string, n: number): boolean => {
      try {
        execFileSync(process.execPath, ['--input-type=module-typescript', '-e', child, file, String(n)]);
        return true;
      } catch (error) {
        expect(error).toMatchObject({ signal: 'SIGKILL' });
        return false;
      }
    };
    for (let n = 1; ; n++) {
      const file = join(temporaryFolder(), 'store.sqlite');
      const survived = survives(file, n);
      const counts = rowCounts(file);
      if (survived) {
        expect(n).toBeGreaterThan(2); // killed while the digest was made and while rows were written
        expect(counts).toEqual({
          runs: 1,
          run_layers: 2,
          diff_vectors: 6,
          vector_data: 18,
          projections: 12,
          projection_tokens: 48,
        });
        return;
      }
      expect(new Set(Object.values(counts))).toEqual(new Set([0]));
    }
  });
});

describe('keys', () => {
  it('finds each thing by its key, and only by the canonical spelling', () => {
    const store = temporaryStore();
    const run = seedRun(store);
    const layer = store.layers.findByKey(`${run.key}.L2`);
    const vector = store.diffVectors.findByKey(`${run.key}.L2.P1`);
    const projection = store.projections.findByKey(`${run.key}.L2.P1.logit-lens.diff.suppressed`);
    const token = store.tokens.findByKey(`${run.key}.L2.P1.logit-lens.diff.suppressed.3`);
    expect(layer).toMatchObject({ layer: 2, run });
    expect(vector).toMatchObject({ position: 1, layer });
    expect(projection).toMatchObject({ sign: 'SUPPRESSED', diffVector: vector });
    expect(token).toMatchObject({ rank: 3, projection });
    expect(store.vectors.findByKey(`${run.key}.L2.P1/finetuned-mean`)).toMatchObject({
      kind: 'FINETUNED_MEAN',
    });

    for (const key of [
      `${run.key}.L02`,
      `${run.key}.L+2`,
      `${run.key}.L9`,
      `${run.key}.l2`,
      '',
      'x'.repeat(100_000),
    ]) {
      expect(store.layers.findByKey(key), key.slice(0, 40)).toBeUndefined();
    }
    for (const key of [`${run.key}.L2.P01`, `${run.key}.L02.P1`, `${run.key}.L2.P3`, `${run.key}.L2.P1\n`]) {
      expect(store.diffVectors.findByKey(key), key).toBeUndefined();
    }
    for (const key of [`${run.key}.L2.P1/DIFF`, `${run.key}.L2.P1/base_mean`, `${run.key}.L2.P1/`]) {
      expect(store.vectors.findByKey(key), key).toBeUndefined();
    }
    for (const rest of [
      'logit-lens.DIFF.promoted',
      'logit-lens.diff',
      "x'--.diff.promoted",
      'logit-lens.diff.promoted.4',
    ]) {
      expect(store.projections.findByKey(`${run.key}.L2.P1.${rest}`), rest).toBeUndefined();
      expect(store.tokens.findByKey(`${run.key}.L2.P1.${rest}`), rest).toBeUndefined();
    }
  });
});
