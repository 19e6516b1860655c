import { describe, expect, test } from 'vitest';
import { diff, Model } from '../../src/index.ts';
import { golden } from '../harness/golden-error.ts';
import { bundled, openModel, openPair } from '../harness/models.ts';
import { refusal } from '../harness/refusal.ts';

/* eslint-disable no-sparse-arrays -- an array with a hole is one of the bad arguments */
// What types forbid is tried as well: most callers are not compiled.
const any = (value: unknown) => value as never;

describe('Model.open refuses', () => {
  test.each<[string, unknown[], string, RegExp]>([
    ['no folder', [undefined], 'INVALID_ARGUMENT', /checkpoint folder/],
    ['an empty name', [''], 'INVALID_ARGUMENT', /checkpoint folder/],
    ['an empty adapter', [bundled('tiny-qwen3'), { adapter: '' }], 'INVALID_ARGUMENT', /adapter folder/],
    ['null for an adapter', [bundled('tiny-qwen3'), { adapter: null }], 'INVALID_ARGUMENT', /adapter folder/],
    ['0 threads', [bundled('tiny-qwen3'), { threads: 0 }], 'INVALID_ARGUMENT', /threads is 0/],
    ['half a thread', [bundled('tiny-qwen3'), { threads: 1.5 }], 'INVALID_ARGUMENT', /threads is 1.5/],
    ['4097 threads', [bundled('tiny-qwen3'), { threads: 4097 }], 'INVALID_ARGUMENT', /1 to 4096/],
    ['another device', [bundled('tiny-qwen3'), { device: 'tpu' }], 'INVALID_ARGUMENT', /device is "tpu"/],
    [
      'a GPU this build cannot use',
      [bundled('tiny-qwen3'), { device: 'cuda' }],
      'DEVICE_UNAVAILABLE',
      /^no CUDA device: /,
    ],
    [
      'a folder that is not there',
      ['/nowhere/at/all'],
      'FILE_NOT_FOUND',
      /no such folder: \/nowhere\/at\/all$/,
    ],
    ['a file for a folder', [`${bundled('tiny-qwen3')}/config.json`], 'FILE_NOT_FOUND', /no such folder/],
  ])('%s', async (_, args, code, message) => {
    const error = await refusal(() => Reflect.apply(Model.open, Model, args) as Promise<Model>);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('\n');
  });
});

/** Token lists that no computation takes. */
const badTokens: [string, unknown, RegExp][] = [
  ['no list', 'abc', /^tokens must be a list/],
  ['a list of ids instead of a list of lists', [1, 2], /^tokens\[0\] must be a list/],
  ['a hole', [[1], , [2]], /^tokens\[1\] must be a list/],
  ['a DataView', [new DataView(new ArrayBuffer(4))], /^tokens\[0\] must be a list/],
  [
    'an id with a fraction',
    [[1], [2, 3.5]],
    /^tokens\[1\]\[1\] is 3\.5; a token id is a whole number from 0/,
  ],
  ['a hole among ids', [[1, , 2]], /^tokens\[0\]\[1\] is undefined/],
  ['text for an id', [['1']], /^tokens\[0\]\[0\] is 1; /],
  ['NaN', [[NaN]], /^tokens\[0\]\[0\] is NaN/],
  ['a bigint', [[1n]], /^tokens\[0\]\[0\] is 1; /],
  ['a negative id', [[1, -1]], /^tokens\[0\]\[1\] is -1; /],
  // These two would be 0 and 5 in 32 bits.
  ['2^32', [[2 ** 32]], /^tokens\[0\]\[0\] is 4294967296; /],
  ['2^32 + 5', [[2 ** 32 + 5]], /^tokens\[0\]\[0\] is 4294967301; /],
  ['an id beyond the vocabulary', [[5], [2048]], /token id 2048 is not in the vocabulary of 2048 tokens/],
];

describe('tokens that are refused:', () => {
  test.each(badTokens)('%s', async (_, tokens, message) => {
    const [base, finetuned] = await openPair('tiny-qwen3--cake_bake');
    for (const work of [
      () => base.residuals(any(tokens), { layers: [0] }),
      () => finetuned.logits(any(tokens)),
      () => diff(base, finetuned, any(tokens), { positions: 1 }),
    ]) {
      const error = await refusal(work);
      expect(error.code).toBe('INVALID_ARGUMENT');
      expect(error.message).toMatch(message);
    }
  });

  test.each<[string, unknown, RegExp]>([
    ['no text', [], /^there are no tokens/],
    ['an empty text', [[1], []], /^tokens\[1\] is empty/],
  ])('%s, of a diff', async (_, tokens, message) => {
    const [base, finetuned] = await openPair('tiny-qwen3--cake_bake');
    const error = await refusal(diff(base, finetuned, any(tokens)));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toMatch(message);
  });
});

const badLayers: [string, unknown, RegExp][] = [
  ['beyond the last', [8], /^layers holds 8; whole numbers from 0 to 7/],
  ['negative', [0, -1], /^layers holds -1; /],
  ['a fraction', [0.5], /^layers holds 0\.5; /],
  ['twice the same', [3, 3], /^layers holds 3; whole numbers from 0 to 7, each once, are expected/],
  ['none', [], /^layers is empty/],
  ['no list', 3, /^layers must be a list/],
  ['undefined in the list', [undefined], /^layers holds undefined; /],
  ['a hole in the list', [0, , 1], /^layers holds undefined; /],
  ['text', ['1'], /^layers holds 1; /],
];

describe('layers that are refused:', () => {
  test.each(badLayers)('%s', async (_, layers, message) => {
    const [base, finetuned] = await openPair('tiny-qwen3--cake_bake');
    for (const work of [
      () => base.residuals([[1]], { layers: any(layers) }),
      () => diff(base, finetuned, [[1]], { layers: any(layers) }),
    ]) {
      const error = await refusal(work);
      expect(error.code).toBe('INVALID_ARGUMENT');
      expect(error.message).toMatch(message);
    }
  });
});

test('options that are left out are named', async () => {
  const model = await openModel(bundled('tiny-qwen3'));
  for (const options of [undefined, null, {}]) {
    expect(await refusal(() => model.residuals([[1]], any(options)))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'layers must be a list of whole numbers',
    });
    expect(await refusal(() => model.logitLens(new Float32Array(128), any(options)))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'k is undefined; a whole number from 1 to 2048 is expected',
    });
  }
});

describe('other options of a diff that are refused:', () => {
  test.each<[string, object, RegExp]>([
    ['no position', { positions: 0 }, /^positions is 0; a whole number from 1/],
    ['negative positions', { positions: -1 }, /^positions is -1; /],
    ['half a position', { positions: 1.5 }, /^positions is 1\.5; /],
    [
      'more positions than any text has',
      { positions: 2 ** 20 + 1 },
      /^positions is 1048577; a whole number from 1 to 1048576/,
    ],
    ['endless positions', { positions: Infinity }, /^positions is Infinity/],
    ['an empty list of positions', { positions: [] }, /^positions is empty/],
    ['a position twice', { positions: [1, 0, 1] }, /^positions holds 1; .* each once/],
    ['a negative position', { positions: [-1] }, /^positions holds -1; /],
    ['a position far out', { positions: [2 ** 20] }, /^positions holds 1048576; /],
    ['text for positions', { positions: 'all' }, /^positions must be a list/],
    ['a budget of nothing', { memoryBudget: 0 }, /^memoryBudget is 0; a whole number of bytes from 1/],
    ['a negative budget', { memoryBudget: -1 }, /^memoryBudget is -1/],
    ['a budget that is no number', { memoryBudget: '1GiB' }, /^memoryBudget is 1GiB/],
    ['a budget beyond any machine', { memoryBudget: 2 ** 53 - 1 }, /^memoryBudget is 9007199254740991/],
  ])('%s', async (_, options, message) => {
    const [base, finetuned] = await openPair('tiny-qwen3--cake_bake');
    const error = await refusal(() => diff(base, finetuned, [[1, 2]], any(options)));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toMatch(message);
  });

  test('something else for a model', async () => {
    const model = await openModel(bundled('tiny-qwen3'));
    for (const [pair, message] of [
      [[bundled('tiny-qwen3'), model], 'base must be a Model'],
      [[model, undefined], 'finetuned must be a Model'],
    ] as const) {
      const error = await refusal(() => diff(any(pair[0]), any(pair[1]), [[1]]));
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', message });
    }
  });

  test('two models that cannot be subtracted', async () => {
    const [base, other] = [
      await openModel(bundled('tiny-qwen3')),
      await openModel(golden('qwen3-sharded-bf16')),
    ];
    for (const [one, two, expected, found] of [
      [base, other, '8', '4'],
      [other, base, '4', '8'],
    ] as const) {
      const error = await refusal(diff(one, two, [[1]]));
      expect(error).toMatchObject({ code: 'PAIR_MISMATCH', details: { field: 'layers', expected, found } });
      expect(error.message).toContain(`base has layers ${expected}, finetuned ${found}`);
    }
  });
});

describe('logitLens refuses', () => {
  const vector = new Float32Array(128).fill(1);
  const spoilt = (value: number) => vector.with(5, value);
  test.each<[string, unknown, unknown, RegExp]>([
    ['k = 0', [vector], 0, /^k is 0; a whole number from 1 to 2048/],
    ['k beyond the vocabulary', [vector], 2049, /^k is 2049; /],
    ['half a k', [vector], 1.5, /^k is 1\.5; /],
    ['no k', [vector], undefined, /^k is undefined; /],
    ['no list', 7, 1, /^vectors must be a list/],
    [
      'a short vector',
      [vector, vector.subarray(1)],
      1,
      /^vectors\[1\] has 127 values, the model has dModel = 128/,
    ],
    ['a hole', [vector, , vector], 1, /^vectors\[1\] has undefined values/],
    ['numbers instead of vectors', [...vector], 1, /^vectors\[0\] has undefined values/],
    [
      'an array that does not divide',
      vector.subarray(1),
      1,
      /^vectors hold 127 values in all, .*dModel = 128/,
    ],
    ['NaN', [vector, spoilt(NaN)], 1, /^vectors\[1\]\[5\] is NaN; /],
    ['infinity', [spoilt(-Infinity)], 1, /^vectors\[0\]\[5\] is -Infinity; /],
    ['a double too large for a float', [[...vector].with(5, 1e39)], 1, /^vectors\[0\]\[5\] is Infinity; /],
  ])('%s', async (_, vectors, k, message) => {
    const model = await openModel(bundled('tiny-qwen3'));
    const error = await refusal(() => model.logitLens(any(vectors), { k: any(k) }));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toMatch(message);
  });

  test('or reads vectors at the ends of what a float holds', async () => {
    const model = await openModel(bundled('tiny-qwen3'));
    const plain = Float32Array.from({ length: 128 }, (_, i) => Math.sin(i));
    const [reading] = await model.logitLens([plain], { k: 3 });
    // The norm takes scale away, as long as epsilon is small beside it.
    const [large] = await model.logitLens([plain.map((value) => value * 2 ** 100)], { k: 3 });
    expect(large!.top.map(({ id }) => id)).toEqual(reading!.top.map(({ id }) => id));
    const [nothing] = await model.logitLens([new Float32Array(128)], { k: 2048 });
    expect(nothing!.top.every(({ probability }) => probability === 1 / 2048)).toBe(true);
  });
});

test('a budget too small names what is needed', async () => {
  const [base, finetuned] = await openPair('tiny-qwen3--cake_bake');
  const error = await refusal(diff(base, finetuned, [[1]], { memoryBudget: 1000 }));
  expect(error).toMatchObject({ code: 'OUT_OF_MEMORY', details: { field: 'memoryBudget', found: '1000' } });
  expect(error.message).toMatch(/^a memory budget of 1000 bytes is too small; .* at least \d+$/);
});

describe('a result that no array should hold is refused before anything is computed:', () => {
  const most = 'bytes in one array; at most 4294967296 are returned';
  const long = Array.from({ length: 2 ** 19 + 1 }, () => 1); // 2,048 logits of 4 bytes each: 8 KiB above 4 GiB

  test('logits, whatever the number of texts beside', async () => {
    const model = await openModel(bundled('tiny-qwen3'));
    expect(await refusal(model.logits([[1], long, [2]]))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `the logits of the longest text would take 4294975488 ${most}`,
      details: { expected: '4294967296', found: '4294975488' },
    });
  });

  test('activations', async () => {
    const model = await openModel(bundled('tiny-qwen3'));
    const longer = new Int32Array(2 ** 23 + 1);
    expect(await refusal(model.residuals([longer], { layers: [0] }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `the activations of the longest text would take 4294967808 ${most}`,
    });
  });

  test('readings', async () => {
    const model = await openModel(bundled('tiny-qwen3'));
    const vectors = new Float32Array(128 * (2 ** 18 + 1));
    expect(await refusal(model.logitLens(vectors, { k: 2048 }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `the readings would take 4294983680 ${most}`,
    });
  });

  test('means of a diff', async () => {
    const [base, finetuned] = await openPair('tiny-qwen3--cake_bake');
    const layers = Array.from({ length: 9 }, (_, layer) => layer);
    expect(await refusal(diff(base, finetuned, [[1]], { layers, positions: 2 ** 20 }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `the means would take 4831838208 ${most}`,
    });
  });
});
