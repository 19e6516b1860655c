import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { diff, Model } from '../../src/index.ts';
import { type LongJob, longJob } from '../harness/long-job.ts';
import { bundled, openModel, openPair, randomTokens } from '../harness/models.ts';
import { bits, digestOf } from '../harness/numbers.ts';
import { refusal } from '../harness/refusal.ts';
import { runScript } from '../harness/script.ts';

const [cake, sports] = ['tiny-qwen3--cake_bake', 'tiny-qwen3--extreme_sports'];
const tokens = randomTokens(500, 8, 2048);
const some = { layers: [3, 7] };

/** A job that goes on until the end of the test at the latest. */
function start(...pair: [Model, Model]): LongJob {
  const job = longJob(...pair);
  onTestFinished(() => job.cancel());
  return job;
}

test('jobs asked for together all get their own answer', async () => {
  const [base, baker] = await openPair(cake);
  const [, climber] = await openPair(sports);
  const alone = [await diff(base, baker, tokens, some), await diff(base, climber, tokens, some)].map(
    digestOf,
  );
  const logits = bits((await base.logits([[1, 2]]))[0]!);
  const together = await Promise.all([
    diff(base, baker, tokens, some),
    diff(base, climber, tokens, some),
    base.logits([[1, 2]]),
  ]);
  expect(together.slice(0, 2).map((result) => digestOf(result as never))).toEqual(alone);
  expect(bits(together[2][0]!)).toBe(logits);
  expect(new Set(alone).size).toBe(2);
});

test.skipIf(!existsSync('/proc/self/task'))(
  'jobs of several threads get the same answers, and share one set of threads as large as the machine',
  { timeout: 120_000 },
  async () => {
    const digests = [];
    for (const name of [cake, sports])
      digests.push(digestOf(await diff(...(await openPair(name)), tokens, some)));
    const { stdout, ...end } = await runScript(
      'two-workers.ts',
      ...['tiny-qwen3', cake, sports].map(bundled),
    );
    expect(end).toEqual({ stderr: '', code: 0, signal: null });
    const found = JSON.parse(stdout) as { digests: string[]; threads: number };
    expect(found.digests).toEqual(digests);
    expect(found.threads).toBeGreaterThanOrEqual(1);
    expect(found.threads).toBeLessThanOrEqual(availableParallelism());
  },
);

test('a job that waits is rejected at once when it is cancelled; those before and after it go on', async () => {
  const pair = await openPair(cake);
  const expected = digestOf(await diff(...pair, tokens, some));
  const job = start(...pair);
  const controller = new AbortController();
  const second = diff(...pair, tokens, {
    ...some,
    signal: controller.signal,
    onProgress: () => expect.unreachable('it never started'),
  });
  let thirdIsThere = false;
  const third = diff(...pair, tokens, some).finally(() => (thirdIsThere = true));

  controller.abort(new Error('not needed any more'));
  expect(await refusal(second)).toMatchObject({
    code: 'CANCELLED',
    cause: { message: 'not needed any more' },
  });
  expect([job.goesOn(), thirdIsThere]).toEqual([true, false]);
  const { done, total } = await job.progress();
  expect(done).toBeLessThan(total);
  await job.cancel();
  expect(digestOf(await third)).toBe(expected);
});

test('a model opens while a job runs', async () => {
  const pair = await openPair(cake);
  const job = start(...pair);
  await job.progress();
  const another = await openModel(bundled('tiny-qwen3'), { adapter: bundled(sports) });
  const failed = await refusal(Model.open(bundled('tiny-qwen3'), { adapter: bundled('tiny-llama') }));
  expect(job.goesOn()).toBe(true);
  expect(failed.code).toBe('FILE_NOT_FOUND');
  expect(another.spec.adapter?.modules.length).toBeGreaterThan(0);
});

test('timers, files and promises are served while a job runs and others wait', async () => {
  const pair = await openPair(cake);
  const job = start(...pair);
  // More than libuv's pool has threads: were they in it, the file would have to wait for all.
  const controller = new AbortController();
  const waiting = Array.from({ length: 8 }, () =>
    refusal(pair[0].logits([[1]], { signal: controller.signal })),
  );
  await job.progress();
  await new Promise<void>((resolve) => {
    let ticks = 0;
    const timer = setInterval(() => {
      if (++ticks < 10) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });
  const config = await readFile(join(bundled('tiny-qwen3'), 'config.json'), 'utf8');
  expect(config).toContain('Qwen3ForCausalLM');
  expect(job.goesOn()).toBe(true);
  controller.abort();
  for (const { code } of await Promise.all(waiting)) expect(code).toBe('CANCELLED');
  expect(job.goesOn()).toBe(true);
});
