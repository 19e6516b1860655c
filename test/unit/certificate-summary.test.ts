import { expect, test } from 'vitest';
import { certificateSummary } from '../../src/runs/certificate-summary.ts';
import { readCertificate, type RunCertificate } from '../../src/db/index.ts';
import { firstCertificate, syntheticCertificate } from '../harness/synthetic-run.ts';

const summary = (change: Partial<RunCertificate>) =>
  certificateSummary({ ...syntheticCertificate, ...change }).split('; ');
const { adapter, tokenizer } = syntheticCertificate;

test('a certificate is one line', () => {
  expect(certificateSummary(syntheticCertificate)).toBe(
    'LoRA adapter of 3 modules, moves layer 0 by 13 % of its norm; weights shared with the base; tokenizers differ; 0 activations and 3000000000 weights not finite; 103 rows read, 1 empty, 2 too short',
  );
});

test('a certificate of the first version says what was not checked', () => {
  expect(certificateSummary(readCertificate(firstCertificate))).toBe(
    'LoRA adapter of 2 modules; weights shared with the base; tokenizers not compared; 0 activations not finite, weights not counted; 5 rows read, 0 empty, 0 too short',
  );
});

test('the words for each kind of finetune and tokenizer', () => {
  expect(summary({ adapter: null, sharedWeights: false }).slice(0, 2)).toEqual([
    'full finetune',
    'weights of its own',
  ]);
  const canary = { movedAt: 'head', relativeChange: null };
  expect(summary({ adapter: { ...adapter!, canary } })[0]).toBe(
    'LoRA adapter of 3 modules, moves head by an unknown share of its norm',
  );
  for (const [change, words] of [
    [{ equal: true }, 'tokenizers equal'],
    [{ equal: true, finetunedDigest: null }, 'tokenizer of the base'],
    [{ equal: null, finetunedDigest: null }, 'tokenizer of the finetune unreadable'],
  ] as const)
    expect(summary({ tokenizer: { ...tokenizer!, ...change } })[2]).toBe(words);
  expect(summary({ notFinite: { activations: 0, baseWeights: 0, finetunedWeights: 0 } })[3]).toBe(
    'all numbers finite',
  );
});
