import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Generation, GenerateOptions, Model } from '../../src/index.ts';
import { readExpected } from '../harness/expected.ts';
import { bundled, copyOf, editJson, expectedCases, openModel, openPair } from '../harness/models.ts';
import { refusal } from '../harness/refusal.ts';

/** What transformers continued, and the vector that it added: unit(mean diff) · mean token norm of the finetune. */
function expectedTexts(organism: string) {
  const expected = readExpected(organism);
  const { middle_layer: layer, steering } = expected.facts;
  const vectorOf = (position: number): Float64Array => {
    const vector = Float64Array.from(expected.vector('diff', position));
    const norm = Math.hypot(...vector);
    return vector.map((value) => (value / norm) * expected.finetunedNorm);
  };
  return { layer, steering, vectorOf };
}

const prompts = [[43, 80, 262, 827], [43, 80, 262, 827], [5], [900, 901, 902, 903, 904, 905]];
const ids = (texts: Generation[]): number[][] => texts.map((text) => text.ids);

describe('greedy steered texts are those of transformers', () => {
  test.each(expectedCases)('%s', async (organism) => {
    const [, model] = await openPair(organism);
    const { layer, steering, vectorOf } = expectedTexts(organism);
    expect(steering.length).toBeGreaterThan(10);
    for (const position of new Set(steering.map((text) => text.position))) {
      const cases = steering.filter((text) => text.position === position);
      const steer = { layer, vector: vectorOf(position), strengths: cases.map(({ alpha }) => alpha) };
      const options = { maxNewTokens: 32, steer };
      const together = await model.generate(
        cases.map(({ prompt_ids }) => prompt_ids),
        options,
      );
      expect(ids(together)).toEqual(cases.map(({ new_ids }) => new_ids));
      expect(together.map(({ text }) => text)).toEqual(cases.map(({ text }) => text));
      expect(together.map(({ finish }) => finish)).toEqual(
        cases.map(({ new_ids }) => (new_ids.length < 32 ? 'STOP' : 'LENGTH')),
      );
      for (const { prompt_ids, alpha, new_ids } of cases.slice(0, 4)) {
        const [alone] = await model.generate([prompt_ids], {
          ...options,
          steer: { ...steer, strengths: alpha },
        });
        expect(alone?.ids).toEqual(new_ids);
      }
    }
  });
});

test('a strength of 0 is no steering at all', async () => {
  const model = await openModel(bundled('tiny-qwen3'));
  const steer = { layer: 3, vector: new Float32Array(model.spec.dModel).fill(1), strengths: 0 };
  const unsteered = await model.generate(prompts, { maxNewTokens: 10 });
  expect(ids(await model.generate(prompts, { maxNewTokens: 10, steer }))).toEqual(ids(unsteered));
  const steered = await model.generate(prompts, { maxNewTokens: 10, steer: { ...steer, strengths: 2 } });
  expect(ids(steered)).not.toEqual(ids(unsteered));
});

describe('sampled texts', () => {
  const options = { temperature: 1.2, topP: 0.9, maxNewTokens: 16, seed: 5 };

  test('are the same in any batch and with any number of threads', async () => {
    const model = await openModel(bundled('tiny-qwen3'), { threads: 1 });
    const other = await openModel(bundled('tiny-qwen3'), { threads: 2 });
    const texts = ids(await model.generate(prompts, options));
    expect(texts[0]).not.toEqual(texts[1]); // equal prompts draw on their own
    expect(ids(await other.generate(prompts, options))).toEqual(texts);
    expect(ids(await other.generate(prompts, { ...options, memoryBudget: 1 }))).toEqual(texts);
    const backwards = ids(await model.generate(prompts.toReversed(), options));
    expect(backwards.toReversed()).toEqual([texts[1], texts[0], texts[2], texts[3]]);
    expect(ids(await model.generate([prompts[3]!], options))).toEqual([texts[3]]);
  });

  test('follow their seed', async () => {
    const model = await openModel(bundled('tiny-qwen3'));
    const [first, second] = [
      ids(await model.generate(prompts, options)),
      ids(await model.generate(prompts, { ...options, seed: 6 })),
    ];
    expect(first).not.toEqual(second);
    expect(ids(await model.generate(prompts, options))).toEqual(first);
  });
});

test('onToken hears every token in order, and its pieces make the text', async () => {
  const model = await openModel(bundled('tiny-qwen3'));
  const heard = prompts.map(() => ({ ids: [] as number[], text: '' }));
  const progress: { done: number; total: number }[] = [];
  const texts = await model.generate(prompts, {
    maxNewTokens: 12,
    temperature: 1,
    onToken: ({ prompt, id, text }) => {
      heard[prompt]!.ids.push(id);
      heard[prompt]!.text += text;
    },
    onProgress: (now) => progress.push(now),
  });
  expect(heard.map((one) => one.ids)).toEqual(ids(texts));
  expect(heard.map((one) => one.text)).toEqual(texts.map(({ text }) => text));
  expect(progress.at(-1)).toEqual({ done: 15 + 4 * 12, total: 15 + 4 * 12 });
});

test('what onToken throws ends the computation and is passed on', async () => {
  const model = await openModel(bundled('tiny-qwen3'));
  let calls = 0;
  const generating = model.generate(prompts, {
    maxNewTokens: 1000,
    stop: [],
    onToken: () => {
      calls++;
      throw new RangeError('enough');
    },
  });
  await expect(generating).rejects.toThrow(new RangeError('enough'));
  expect(calls).toBe(1);
});

test('an abort ends a generation within 200 ms', async () => {
  const model = await openModel(bundled('tiny-qwen3'));
  const controller = new AbortController();
  let aborted = 0;
  const generating = model.generate(prompts, {
    maxNewTokens: 2000,
    stop: [],
    signal: controller.signal,
    onToken: () => {
      aborted ||= performance.now();
      controller.abort();
    },
  });
  expect((await refusal(generating)).code).toBe('CANCELLED');
  expect(performance.now() - aborted).toBeLessThan(200);
});

test('a model without a tokenizer gives ids and no text', async () => {
  const folder = copyOf(bundled('tiny-qwen3'));
  rmSync(join(folder, 'tokenizer.json'));
  const model = await openModel(folder);
  const pieces: (string | null)[] = [];
  const [text] = await model.generate([[5, 6]], {
    maxNewTokens: 3,
    onToken: (token) => pieces.push(token.text),
  });
  expect(text?.text).toBeNull();
  expect(text?.ids.length).toBe(3);
  expect(pieces).toEqual([null, null, null]);
});

describe('settings', () => {
  /** The settings of a generation where generation_config.json holds these fields. */
  async function settingsOf(config: object | string | null, options: GenerateOptions = {}) {
    const folder = copyOf(bundled('tiny-qwen3'));
    const file = join(folder, 'generation_config.json');
    if (config === null) rmSync(file);
    else writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config));
    const model = await openModel(folder);
    const [text] = await model.generate([[5]], { maxNewTokens: 1, ...options });
    return text!.settings;
  }
  const defaults = {
    temperature: 0,
    topK: 50,
    topP: 1,
    repetitionPenalty: 1,
    seed: 0,
    stop: [0], // of config.json
    maxNewTokens: 1,
    stopRepetition: 0,
    defaultsFrom: [],
    ignored: [],
  };

  test('are the library’s where no file says otherwise', async () => {
    expect(await settingsOf(null)).toEqual(defaults);
    expect(await settingsOf({})).toEqual(defaults);
  });

  test('come from generation_config.json, which is recorded', async () => {
    const config = {
      do_sample: true,
      temperature: 0.6,
      top_k: 20,
      top_p: 0.95,
      repetition_penalty: 1.05,
      eos_token_id: [3, 4, 2 ** 31 - 1],
      pad_token_id: 7,
      transformers_version: '5.0.0',
      min_p: 0.1,
      num_beams: null,
    };
    const from = ['temperature', 'topK', 'topP', 'repetitionPenalty', 'stop'];
    const read = {
      ...defaults,
      temperature: 0.6,
      topK: 20,
      topP: 0.95,
      repetitionPenalty: 1.05,
      stop: [3, 4],
      defaultsFrom: from,
      ignored: ['min_p'],
    };
    expect(await settingsOf(config)).toEqual(read);
    const given = { temperature: 0, topK: 0, topP: 0.5, repetitionPenalty: 2, stop: [9] };
    expect(await settingsOf(config, given)).toEqual({ ...read, ...given, defaultsFrom: [] });
  });

  test('are greedy unless do_sample is true', async () => {
    const from = ['temperature'];
    expect(await settingsOf({ temperature: 0.6 })).toEqual(defaults);
    expect(await settingsOf({ do_sample: false, temperature: 0.6 })).toEqual({
      ...defaults,
      defaultsFrom: from,
    });
    expect(await settingsOf({ do_sample: true })).toEqual({
      ...defaults,
      temperature: 1,
      defaultsFrom: from,
    });
    const warmer = await settingsOf({ do_sample: false }, { temperature: 0.9 });
    expect(warmer).toEqual({ ...defaults, temperature: 0.9 });
  });

  test('take config.json’s end of text, a number or a list, and that of a text model inside', async () => {
    for (const [edit, stop] of [
      [{ eos_token_id: 7 }, [7]],
      [{ eos_token_id: [7, 8] }, [7, 8]],
      [{ eos_token_id: null }, []],
    ] as const) {
      const folder = copyOf(bundled('tiny-qwen3'));
      rmSync(join(folder, 'generation_config.json'));
      editJson(join(folder, 'config.json'), (json) => Object.assign(json, edit));
      const model = await openModel(folder);
      const [text] = await model.generate([[5]], { maxNewTokens: 1 });
      expect(text!.settings.stop).toEqual(stop);
    }
  });

  test.each<[string, object | string, string | undefined, RegExp]>([
    ['no JSON', '{"do_sample": tru', undefined, /is not JSON/],
    ['a list', '[]', undefined, /is not a JSON object/],
    ['text for a temperature', { temperature: 'hot' }, 'temperature', /temperature is "hot"/],
    ['a negative temperature', { temperature: -1 }, 'temperature', /temperature is -1/],
    ['half a token for top_k', { top_k: 1.5 }, 'top_k', /top_k is 1.5/],
    ['more than all for top_p', { top_p: 1.01 }, 'top_p', /top_p is 1.01/],
    ['no penalty at all', { repetition_penalty: 0 }, 'repetition_penalty', /repetition_penalty is 0/],
    ['text for do_sample', { do_sample: 'yes' }, 'do_sample', /do_sample is "yes"/],
    [
      'text for an end',
      { eos_token_id: '</s>' },
      'eos_token_id',
      /eos_token_id is "<\/s>": a token id or a list/,
    ],
    ['a negative end', { eos_token_id: [1, -2] }, 'eos_token_id.1', /a token id or a list/],
    ['a number that is none', '{"temperature": 1e999}', 'temperature', /temperature is/],
    ['endless brackets', '['.repeat(100_000), undefined, /is not JSON/],
    ['a huge file', `{"x": "${'y'.repeat(2 ** 20)}"}`, undefined, /is larger than 1048576 bytes/],
  ])('refuses a generation_config.json with %s', async (_, config, field, message) => {
    const error = await refusal(settingsOf(config));
    expect(error.code).toBe('INVALID_CONFIG');
    expect(error.message).toMatch(message);
    expect(error.message).toContain('generation_config.json');
    expect(error.message).not.toContain('\n');
    expect(error.details['field']).toBe(field);
  });
});

describe('generate refuses', () => {
  const any = (value: unknown) => value as never;
  const zeros = (n: number) => new Float32Array(n);
  const steered = (steer: object) => ({
    steer: any({ layer: 1, vector: zeros(128), strengths: 1, ...steer }),
  });
  test.each<[string, unknown, GenerateOptions, RegExp]>([
    ['no list', 'abc', {}, /^tokens must be a list/],
    ['an empty prompt', [[1], []], {}, /^prompt 1 is empty/],
    ['an unknown token', [[1, 2048]], {}, /^token id 2048 is not in the vocabulary/],
    [
      'a prompt beyond the context',
      [Array(2048).fill(1)],
      { maxNewTokens: 1 },
      /^prompt 0 has 2048 tokens and 1 may follow; .* takes 2048/,
    ],
    [
      'a text beyond the context',
      [[1]],
      { maxNewTokens: 2048 },
      /^prompt 0 has 1 tokens and 2048 may follow/,
    ],
    ['no new tokens', [[1]], { maxNewTokens: 0 }, /^maxNewTokens is 0; a whole number from 1/],
    ['half a token', [[1]], { maxNewTokens: 1.5 }, /^maxNewTokens is 1.5/],
    [
      'a negative temperature',
      [[1]],
      { temperature: -0.1 },
      /^temperature is -0.1; a number from 0 is expected/,
    ],
    ['NaN for a temperature', [[1]], { temperature: NaN }, /^temperature is NaN/],
    ['an infinite temperature', [[1]], { temperature: Infinity }, /^temperature is Infinity/],
    ['a negative topK', [[1]], { topK: -1 }, /^topK is -1/],
    ['topP above 1', [[1]], { topP: 1.1 }, /^topP is 1.1; a number from 0 to 1/],
    [
      'a repetition penalty of 0',
      [[1]],
      { repetitionPenalty: 0 },
      /^repetitionPenalty is 0; a number above 0/,
    ],
    ['a negative seed', [[1]], { seed: -1 }, /^seed is -1/],
    ['a fraction for a seed', [[1]], { seed: 0.5 }, /^seed is 0.5/],
    [
      'a stop token beyond the vocabulary',
      [[1]],
      { stop: [2048] },
      /^stop is 2048; a whole number from 0 to 2047/,
    ],
    ['a number for stop', [[1]], { stop: any(3) }, /^stop must be a list/],
    ['one repetition', [[1]], { stopRepetition: 1 }, /^stopRepetition is 1; 0, or a whole number from 2/],
    ['no memory', [[1]], { memoryBudget: 0 }, /^memoryBudget is 0/],
    ['a layer that is not there', [[1]], steered({ layer: 8 }), /^layer 8 is not among the 8 layers/],
    ['a negative layer', [[1]], steered({ layer: -1 }), /^steer.layer is -1/],
    ['no layer', [[1]], steered({ layer: undefined }), /^steer.layer is undefined/],
    [
      'a vector of another width',
      [[1]],
      steered({ vector: zeros(127) }),
      /^the steering vector has 127 values; the model has d_model 128/,
    ],
    ['no vector', [[1]], steered({ vector: undefined }), /^steer.vector must be/],
    ['NaN in a vector', [[1]], steered({ vector: zeros(128).fill(NaN, 7, 8) }), /^steer.vector\[7\] is NaN/],
    ['NaN for a strength', [[1]], steered({ strengths: NaN }), /^steer.strengths\[0\] is NaN/],
    ['a strength beyond float32', [[1]], steered({ strengths: [1e39] }), /^steer.strengths\[0\] is 1e\+39/],
    [
      'too few strengths',
      [[1], [2]],
      steered({ strengths: [1] }),
      /^steer.strengths has 1 values for 2 prompts/,
    ],
  ])('%s', async (_, tokens, options, message) => {
    const model = await openModel(bundled('tiny-qwen3'));
    const error = await refusal(model.generate(any(tokens), options));
    expect(error.message).toMatch(message);
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).not.toContain('\n');
  });

  test('a strength that drives the logits out of their range, and a closed model', async () => {
    const model: Model = await openModel(bundled('tiny-qwen3'));
    const vector = new Float32Array(model.spec.dModel).fill(3e38);
    const error = await refusal(model.generate([[1, 2]], { steer: { layer: 7, vector, strengths: 2 } }));
    expect(error.code).toBe('INVALID_WEIGHTS');
    expect(error.message).toMatch(/^the logits of prompt 0 are not finite after 0 tokens/);
    model.close();
    expect((await refusal(model.generate([[1]]))).code).toBe('MODEL_CLOSED');
  });
});

test('no prompts give no texts', async () => {
  const model = await openModel(bundled('tiny-qwen3'));
  expect(await model.generate([])).toEqual([]);
});
