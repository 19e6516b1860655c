import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { diff, type Model, Model as OpenModel, type Progress } from '../../src/index.ts';
import { bundled, openModel, openPair, randomTokens } from '../harness/models.ts';
import { bits } from '../harness/numbers.ts';
import { refusal } from '../harness/refusal.ts';

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

test('jobs started together all get their own answer', async () => {
  const [base, finetuned] = await openPair('tiny-qwen3--cake_bake');
  const alone = [await base.logits(few), await finetuned.logits(few)];
  const together = await Promise.all([base.logits(few), finetuned.logits(few), base.logits(few)]);
  expect(together[0]!.map(bits)).toEqual(alone[0]!.map(bits));
  expect(together[1]!.map(bits)).toEqual(alone[1]!.map(bits));
  expect(together[2]!.map(bits)).toEqual(alone[0]!.map(bits));
  expect(bits(alone[0]![0]!)).not.toBe(bits(alone[1]![0]!));
});

test('cancelling one job leaves the next one alone', async () => {
  const [base, finetuned] = await openPair('tiny-qwen3--cake_bake');
  const controller = new AbortController();
  const cancelled = diff(base, finetuned, many, {
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  const [error, logits] = await Promise.all([refusal(cancelled), base.logits(few)]);
  expect(error.code).toBe('CANCELLED');
  expect(logits).toHaveLength(few.length);
});

test('a worker thread may end in the middle of its job', async () => {
  const script = fileURLToPath(new URL('../harness/terminate-workers.ts', import.meta.url));
  const folders = [bundled('tiny-qwen3'), bundled('tiny-qwen3--cake_bake')];
  const child = spawn(process.execPath, [script, ...folders, '5'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 20_000,
    killSignal: 'SIGKILL',
  });
  const [stdout, stderr, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  expect({ stdout, stderr, code, signal }).toEqual({
    stdout: `${'ended a worker with 1\n'.repeat(5)}2048 logits\n`,
    stderr: '',
    code: 0,
    signal: null,
  });
});
