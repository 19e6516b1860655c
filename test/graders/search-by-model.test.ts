import { expect, test } from 'vitest';
import { coherenceJudge } from '../../src/graders/index.ts';
import { publishedSearch, searchThreshold } from '../../src/steering/threshold-search.ts';
import { materialOf, type Received, type Said } from '../harness/chat-server.ts';
import { scriptedRunner } from '../harness/scripted-runner.ts';

/** Coherent up to a strength, which the text says. */
const upTo =
  (cut: number) =>
  (request: Received): Said => {
    const { text } = materialOf(request) as { text: string };
    const verdict = Number(/at (\S+)/.exec(text)?.[1] ?? Infinity) <= cut ? 'COHERENT' : 'INCOHERENT';
    return { calls: [{ name: 'give_verdict', arguments: JSON.stringify({ observation: 'x', verdict }) }] };
  };

test('a search by a language model tries 28 + 14 + 14 strengths beside the controls, and finds its cut', async () => {
  const cut = 37;
  const { runner, server } = await scriptedRunner(upTo(cut));
  let canaries = 0;
  const judge = coherenceJudge(runner, {
    onBatch: ({ canary }) => void (canaries += Number(!canary.flagged)),
  });
  const settings = { ...publishedSearch, samples: 1, retests: 0 };
  const found = await searchThreshold(
    3,
    settings,
    ({ prompt, strengths, samples }) =>
      Promise.resolve(
        strengths.map((strength) =>
          Array.from({ length: samples }, (_, i) => ({ text: `text ${prompt}.${i} at ${strength}` })),
        ),
      ),
    judge,
  );
  const tried = [0, 1, 2].map((prompt) =>
    found.tested.filter((one) => one.prompt === prompt && one.strength > 0),
  );
  expect(tried.map(({ length }) => length)).toEqual([28, 14, 14]);
  expect(found.thresholds[0]).toBeLessThanOrEqual(cut);
  expect(found.thresholds[0]).toBeGreaterThan(cut - 100 / 2 ** 12);
  expect(canaries).toBeGreaterThan(0);
  // Every text once, and two calls a batch for the canary, of which equal ones are one.
  const texts = server.requests.filter((request) => JSON.stringify(materialOf(request)).includes('text '));
  expect(texts).toHaveLength(28 + 14 + 14 + 3);

  const before = server.requests.length;
  await judge.judge(found.tested.flatMap((one) => one.texts.map(({ text }) => text)));
  expect(server.requests.length).toBeLessThanOrEqual(before + 2); // the new batch's canary
});
