import BetterSqlite3 from 'better-sqlite3';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStore, readCertificate } from '../../src/db/index.ts';
import { firstCertificate, seedRun, syntheticCertificate } from '../harness/synthetic-run.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

describe('a stored certificate', () => {
  it('is read as it was written', () => {
    expect(readCertificate(JSON.stringify(syntheticCertificate))).toEqual(syntheticCertificate);
  });

  it('of the first version is read, too, and claims no check that was not made', () => {
    const file = join(temporaryFolder(), 'store.sqlite');
    const store = openStore(file);
    const { key } = seedRun(store);
    const other = new BetterSqlite3(file);
    other.prepare('update runs set certificate = ?').run(firstCertificate);
    other.close();
    expect(readCertificate(store.runs.get(key).certificate)).toEqual({
      sharedWeights: true,
      adapter: {
        kind: 'LORA',
        parameters: 155648,
        baseName: '../tiny-qwen3',
        foreignTensors: null,
        canary: null,
        modules: [
          { module: 'layers.0.self_attn.q_proj', changeNorm: 2.15973395551516, replaced: false },
          { module: 'layers.0.self_attn.k_proj', changeNorm: 1.5170635541247448, replaced: false },
        ],
      },
      vocabularySizes: { base: 2048, finetuned: 2048 },
      tokenizer: null,
      notFinite: { activations: 0, baseWeights: null, finetunedWeights: null },
      selection: { rowsRead: 5, skippedEmpty: 0, skippedShort: 0 },
      unknownConfigKeys: { base: [], finetuned: [] },
      warnings: ['the finetuned model has another tokenizer; the base model’s is used for both'],
    });
    store.close();
  });

  it('of the first version of a full finetune has no adapter', () => {
    const full = JSON.stringify({ ...(JSON.parse(firstCertificate) as object), adapter: null });
    expect(readCertificate(full).adapter).toBeNull();
  });

  it('of the first version knows no base where an adapter named none, or none was noted', () => {
    for (const baseName of ['', undefined]) {
      const first = JSON.parse(firstCertificate) as { adapter: object };
      const json = JSON.stringify({ ...first, adapter: { ...first.adapter, baseName } });
      expect(readCertificate(json).adapter?.baseName).toBeNull();
    }
  });
});
