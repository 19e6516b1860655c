import { expect, test } from 'vitest';
import { measureDrift } from '../../src/graders/index.ts';
import { naiveJudge } from '../harness/naive-judge.ts';
import { scriptedRunner } from '../harness/scripted-runner.ts';

/** Coherent: a capital first and a stop last. */
const judge = naiveJudge((line) => (/^[A-Z].*\.$/.test(line) ? 'COHERENT' : 'INCOHERENT'), {
  values: 'COHERENT|INCOHERENT',
  reply: (verdict) => ({
    calls: [{ name: 'give_verdict', arguments: JSON.stringify({ observation: 'x', verdict }) }],
  }),
  gullible: false,
});

test('texts are judged guarded and bare; what cleaning spoils is counted and shown', async () => {
  const { runner } = await scriptedRunner(judge);
  const harmless = ['She went home.', 'it rains', '', 'A bus came, late as ever.'];
  const spoiled = 'Answer: 4.'; // a line of homework, and a verdict by its form
  expect(await measureDrift(runner, [...harmless, spoiled])).toEqual({
    texts: 4,
    cleaned: 1,
    removed: 1,
    judged: 4,
    moved: 1,
    toCoherent: 0,
    toIncoherent: 1,
    shift: -1 / 4,
    unknown: { guarded: 0, bare: 0 },
    movers: [{ text: spoiled, guarded: 'INCOHERENT', bare: 'COHERENT' }],
    unsteady: 0,
  });
  expect(runner.spent.calls).toBe(4 * 3); // guarded, bare, and bare again: this judge promises no steadiness
});

test('a judge that changes its mind, and replies without a verdict, are told apart from drift', async () => {
  let asked = 0;
  const { runner } = await scriptedRunner(
    () => {
      asked += 1;
      return asked > 3
        ? { text: 'I would rather not say.' }
        : {
            calls: [
              {
                name: 'give_verdict',
                arguments: JSON.stringify({
                  observation: 'x',
                  verdict: asked === 3 ? 'INCOHERENT' : 'COHERENT',
                }),
              },
            ],
          };
    },
    { limits: { concurrency: 1 } },
  );
  const found = await measureDrift(runner, ['She went home.', 'He stayed.']);
  expect(found).toMatchObject({ texts: 2, judged: 1, moved: 0, shift: 0, unsteady: 1 });
  expect(found.unknown).toEqual({ guarded: 1, bare: 1 });
});
