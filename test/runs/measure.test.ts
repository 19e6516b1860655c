import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type OrganismRow, readCertificate, type Store } from '../../src/db/index.ts';
import { defineMethod, methods } from '../../src/methods/index.ts';
import { measure } from '../../src/runs/measure.ts';
import { addOrganism } from '../../src/runs/organism.ts';
import { z } from 'zod';
import { cake, everyday } from '../harness/command.ts';
import { openTokenizer } from '../../src/tokenizer/index.ts';
import { bundled, copyOf, editJson } from '../harness/models.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const add = (store: Store, name: string, path: string, form: 'LORA' | 'FULL'): Promise<OrganismRow> =>
  addOrganism(store, {
    name,
    base: bundled('tiny-qwen3'),
    baseName: 'tiny-qwen3',
    path,
    form,
    kind: 'OTHER',
    description: '',
  });
const addCakeAs = (store: Store, name: string): Promise<OrganismRow> => add(store, name, cake, 'LORA');

const measured = (store: Store, organism: OrganismRow) =>
  measure(store, organism, {
    corpus: { name: 'everyday', file: everyday, textColumn: 'text' },
    layers: () => [3],
    positions: 2,
    maxSamples: 5,
    top: 4,
  });

test('two organisms of the same files have a run each, with the same digest', async () => {
  const store = temporaryStore();
  const [one, other] = [await addCakeAs(store, 'one'), await addCakeAs(store, 'other')];
  const first = await measured(store, one);
  const second = await measured(store, other);
  expect([first.reused, second.reused]).toEqual([false, false]);
  expect(store.runs.latestOfOrganism(one)?.key).toBe(first.run.key);
  expect(store.runs.latestOfOrganism(other)?.key).toBe(second.run.key);
  expect(second.run.key).not.toBe(first.run.key);
  expect(second.run.digest).toBe(first.run.digest);
  expect(first.run.parameters['tokenizerDigest']).toMatch(/^[0-9a-f]{64}$/);
  expect((await measured(store, other)).reused).toBe(true);
});

test('every method of the registry reads the vectors', async () => {
  const firstIds = defineMethod({
    name: 'first-ids',
    version: 7,
    summary: 'The first ids of the vocabulary, whatever the vector.',
    parameters: z.object({ top: z.int(), strict: z.boolean().default(true) }),
    project: (sets, _, { top }) =>
      Promise.resolve(
        sets.map(() => [
          {
            variant: 'DIFF' as const,
            sign: 'PROMOTED' as const,
            tokens: Array.from({ length: top }, (_, id) => ({ tokenId: id, text: null, probability: 0 })),
          },
        ]),
      ),
  });
  const registry = methods as Record<string, unknown>;
  registry[firstIds.name] = firstIds;
  onTestFinished(() => void Reflect.deleteProperty(registry, firstIds.name));

  const store = temporaryStore();
  const { run } = await measured(store, await addCakeAs(store, 'cake'));
  expect(run.parameters['projections']).toEqual([
    { method: 'logit-lens', version: 1, parameters: { mode: 'EXACT', top: 4 } },
    { method: 'first-ids', version: 7, parameters: { top: 4, strict: true } },
  ]);
  const everything = { first: 1000 };
  const [layer] = store.layers.ofRun.page(run, {}, everything).rows;
  for (const vector of store.diffVectors.ofLayer.page(layer!, {}, everything).rows) {
    const projections = store.projections.ofDiffVector.page(vector, {}, everything).rows;
    expect(projections.filter(({ method }) => method === 'logit-lens')).toHaveLength(6);
    const [own] = projections.filter(({ method }) => method === 'first-ids');
    expect(own).toMatchObject({ methodVersion: 7, variant: 'DIFF', parameters: { top: 4, strict: true } });
    const ids = store.tokens.ofProjection.page(own!, {}, everything).rows.map(({ tokenId }) => tokenId);
    expect(ids).toEqual([0, 1, 2, 3]);
  }
});

test('a run carries the certificate of its measurement', async () => {
  const store = temporaryStore();
  const { run } = await measured(store, await addCakeAs(store, 'cake'));
  const { adapter, ...certificate } = readCertificate(run.certificate);
  expect(certificate).toEqual({
    sharedWeights: true,
    vocabularySizes: { base: 2048, finetuned: 2048 },
    tokenizer: {
      digest: run.parameters['tokenizerDigest'],
      finetunedDigest: null,
      equal: true,
      vocabularyEqual: true,
    },
    notFinite: { activations: 0, baseWeights: 0, finetunedWeights: 0 },
    selection: { rowsRead: 5, skippedEmpty: 0, skippedShort: 0 },
    unknownConfigKeys: { base: [], finetuned: [] },
    warnings: [],
  });
  expect(adapter).toMatchObject({
    kind: 'LORA',
    parameters: 155_648,
    baseName: '../tiny-qwen3',
    foreignTensors: 0,
    canary: { movedAt: 'layer 0' },
  });
  expect(adapter?.canary?.relativeChange).toBeGreaterThan(0);
  expect(adapter?.modules).toHaveLength(8 * 7);
  for (const { changeNorm, replaced } of adapter?.modules ?? []) {
    expect(changeNorm).toBeGreaterThan(0);
    expect(replaced).toBe(false);
  }
});

test('a finetune’s own tokenizer is compared, a checkpoint’s and an adapter’s', async () => {
  const store = temporaryStore();
  const full = bundled('tiny-qwen3--honey_bees-full');
  const bees = readCertificate(
    (await measured(store, await add(store, 'bees', full, 'FULL'))).run.certificate,
  );
  // Written by another version: other bytes, the same tokens.
  expect(bees).toMatchObject({
    adapter: null,
    sharedWeights: false,
    tokenizer: { finetunedDigest: openTokenizer(full).digest, equal: true, vocabularyEqual: true },
    warnings: [],
  });
  expect(bees.tokenizer?.finetunedDigest).not.toBe(bees.tokenizer?.digest);

  const adapter = copyOf(cake);
  cpSync(join(bundled('tiny-qwen3'), 'tokenizer.json'), join(adapter, 'tokenizer.json'));
  editJson(join(adapter, 'tokenizer.json'), (json) => {
    for (let id = 2048; id < 2060; id++) json.added_tokens.push({ id, content: `<x${id}>` });
  });
  const warning =
    'the finetuned model has another tokenizer (12 added tokens only in the finetuned tokenizer); the base model’s is used for both';
  const { run, warnings } = await measured(store, await add(store, 'cake', adapter, 'LORA'));
  expect(warnings).toEqual([warning]);
  expect(readCertificate(run.certificate)).toMatchObject({
    tokenizer: { equal: false, vocabularyEqual: false },
    warnings: [warning],
  });
  expect((await measured(store, store.organisms.get('cake'))).warnings).toEqual([warning]); // from the store
});
