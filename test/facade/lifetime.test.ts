import { describe, expect, test } from 'vitest';
import { diff, type Model, Model as OpenModel, type Progress } from '../../src/index.ts';
import { sha256 } from '../../src/lib/sha256.ts';
import { bundled, openModel, openPair, randomTokens } from '../harness/models.ts';
import { digestOf } from '../harness/numbers.ts';
import { refusal } from '../harness/refusal.ts';
import { runScript } from '../harness/script.ts';

/** Enough work that a signal comes in the middle of it. */
const many = randomTokens(400, 16, 2048);
const few = randomTokens(10, 4, 2048);

/** Every computation of the façade, on much work. */
const computations: Record<string, (models: [Model, Model], options: Options) => Promise<unknown>> = {
  diff: ([base, finetuned], options) => diff(base, finetuned, many, { layers: [7], ...options }),
  residuals: ([base], options) => base.residuals(many, { layers: [7], ...options }),
  logits: ([base], options) => base.logits(many, options),
  logitLens: ([base], options) => base.logitLens(new Float32Array(128 * 2000).fill(1), { k: 10, ...options }),
};
interface Options {
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
}

describe.each(Object.keys(computations))('%s', (name) => {
  const compute = computations[name]!;

  test('does not start under a signal that is aborted', async () => {
    const models = await openPair('tiny-qwen3--cake_bake');
    const reason = new Error('too late');
    const error = await refusal(
      compute(models, {
        signal: AbortSignal.abort(reason),
        onProgress: () => expect.unreachable(),
      }),
    );
    expect(error).toMatchObject({ name: 'AbortError', code: 'CANCELLED', cause: reason });
  });

  test('stops in the middle when its signal is aborted', async () => {
    const models = await openPair('tiny-qwen3--cake_bake');
    const controller = new AbortController();
    const reason = new Error('changed my mind');
    const seen: Progress[] = [];
    const error = await refusal(
      compute(models, {
        signal: controller.signal,
        onProgress: (progress) => {
          seen.push(progress);
          controller.abort(reason);
        },
      }),
    );
    expect(error).toMatchObject({ name: 'AbortError', code: 'CANCELLED', cause: reason });
    expect(seen.every(({ done, total }) => done < total)).toBe(true);
  });

  test('passes on what onProgress throws, null too, and stops', async () => {
    const models = await openPair('tiny-qwen3--cake_bake');
    for (const thrown of [new Error('mine'), null]) {
      let calls = 0;
      const outcome: unknown = await compute(models, {
        onProgress: () => {
          calls++;
          throw thrown;
        },
      }).then(
        () => 'it went on',
        (error: unknown) => error,
      );
      expect(outcome).toBe(thrown);
      expect(calls).toBe(1);
    }
  });

  test('reports progress that rises to its total', async () => {
    const models = await openPair('tiny-qwen3--cake_bake');
    const seen: Progress[] = [];
    await compute(models, { onProgress: (progress) => seen.push(progress) });
    expect(seen.length).toBeGreaterThan(1);
    expect(seen.map(({ done }) => done)).toEqual(seen.map(({ done }) => done).sort((a, b) => a - b));
    expect(new Set(seen.map(({ total }) => total)).size).toBe(1);
    expect(seen.at(-1)!.done).toBe(seen.at(-1)!.total);
  });

  test('finishes when its models are closed meanwhile', async () => {
    const models = await openPair('tiny-qwen3--cake_bake');
    const expected = await compute(models, {});
    let closed = false;
    const result = await compute(models, {
      onProgress: () => {
        closed = true;
        for (const model of models) model.close();
      },
    });
    expect(closed).toBe(true);
    expect(result).toEqual(expected);
  });

  test('is refused on a closed model', async () => {
    const models = await openPair('tiny-qwen3--cake_bake');
    for (const model of models) model.close();
    const error = await refusal(compute(models, {}));
    expect(error.code).toBe('MODEL_CLOSED');
    expect(error.message).toBe(`the model of ${bundled('tiny-qwen3')} was closed`);
  });
});

test('an error of the last progress report is not lost', async () => {
  const model = await openModel(bundled('tiny-qwen3'));
  const error = new Error('at the very end');
  const end = ({ done, total }: Progress) => {
    if (done === total) throw error;
  };
  await expect(model.residuals(few, { layers: [0], onProgress: end })).rejects.toBe(error);
});

test('closing twice is closing once; a disposed model is closed', async () => {
  const model = await OpenModel.open(bundled('tiny-qwen3'));
  model.close();
  model.close();
  model[Symbol.dispose]();
  expect((await refusal(model.logits([[1]]))).code).toBe('MODEL_CLOSED');
});

test('after a job was cancelled midway the next one finds the same bits as ever', async () => {
  const pair = await openPair('tiny-qwen3--cake_bake');
  const before = digestOf(await diff(...pair, few));
  const controller = new AbortController();
  const cancelled = diff(...pair, many, {
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  const [error, after] = await Promise.all([refusal(cancelled), diff(...pair, few)]);
  expect(error.code).toBe('CANCELLED');
  expect(digestOf(after)).toBe(before);
});

test('opening a model stops when its signal is aborted, before it begins and after', async () => {
  const open = (signal: AbortSignal) =>
    OpenModel.open(bundled('tiny-qwen3'), { adapter: bundled('tiny-qwen3--cake_bake'), signal });
  const reason = new Error('another model after all');
  expect(await refusal(open(AbortSignal.abort(reason)))).toMatchObject({ code: 'CANCELLED', cause: reason });
  const controller = new AbortController();
  const opening = refusal(open(controller.signal));
  controller.abort(reason);
  expect(await opening).toMatchObject({ code: 'CANCELLED', cause: reason });
});

/** What the scripts measure, too. */
const folders = [bundled('tiny-qwen3'), bundled('tiny-qwen3--cake_bake')];

test(
  'a worker thread may end in the middle of its job, and while it waits',
  { timeout: 120_000 },
  async () => {
    const pair = await openPair('tiny-qwen3--cake_bake');
    const digest = digestOf(await diff(...pair, randomTokens(100, 8, 2048), { layers: [7] }));
    expect(await runScript('terminate-workers.ts', ...folders, '20')).toEqual({
      stdout: `${'ended a worker with 1\n'.repeat(20)}${digest}\nended a waiting worker with 1\nthe job before its own goes on\n`,
      stderr: '',
      code: 0,
      signal: null,
    });
  },
);

test('the addon may come and go with a hundred worker threads', { timeout: 120_000 }, async () => {
  const model = await openModel(folders[0]!, { adapter: folders[1]! });
  const [logits] = await model.logits([[1, 2, 3]]);
  expect(await runScript('load-in-workers.ts', ...folders, '100')).toEqual({
    stdout: sha256(new Uint8Array(logits!.buffer)),
    stderr: '',
    code: 0,
    signal: null,
  });
});

test(
  'process.exit() in the middle of a job ends the process with its code',
  { timeout: 120_000 },
  async () => {
    for (let time = 0; time < 10; time++) {
      expect(await runScript('exit-midway.ts', ...folders)).toEqual({
        stdout: '',
        stderr: '',
        code: 7,
        signal: null,
      });
    }
  },
);

test('the bytes of a result count as memory while it is held, and are given back', async () => {
  expect(await runScript('memory-of-results.ts', folders[0]!)).toEqual({
    stdout: '1.0\ngiven back\n',
    stderr: '',
    code: 0,
    signal: null,
  });
});
