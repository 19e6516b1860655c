import { describe, expect, test } from 'vitest';
import { scaleByTournament, type ScaleTokens, scaleTournament } from '../../src/graders/scale-tournament.ts';
import { patchscopeScales } from '../../src/native/index.ts';
import { materialOf, type Received, type Said } from '../harness/chat-server.ts';
import { scriptedRunner } from '../harness/scripted-runner.ts';

interface Material {
  readings: { scale: number; tokens: string[] }[];
  scales: number[];
}
const seen = (request: Received) => materialOf(request) as Material;
const chosen = (scale: number, tokens: string[] = []): Said => ({
  calls: [{ name: 'give_scale', arguments: JSON.stringify({ comparison: 'x', scale, tokens }) }],
});
/** Thirty readings; how many of a reading's tokens are about cakes peaks at one scale. */
const readings = (peak: number): ScaleTokens[] =>
  patchscopeScales.map((scale) => ({
    scale,
    tokens: [' the', scale === peak ? ' cake' : ` w${scale}`, ' batter ', ' ->', '?!', ''],
  }));
/** Takes the group's scale that has the token " cake", else its first. */
const honest = (request: Received): Said => {
  const { readings: shown, scales } = seen(request);
  const best = shown.find(({ tokens }) => tokens.includes(' cake'))?.scale ?? scales[0]!;
  return chosen(best, ['cake', 'batter', 'invented']);
};

describe('thirty scales', () => {
  test.each([0.5, 1.4, 2, 20, 200])('3 + 1 calls, and %d wins, which makes sense', async (peak) => {
    const { runner, server } = await scriptedRunner(honest);
    const result = await scaleByTournament(runner, readings(peak));
    expect(server.requests).toHaveLength(4);
    const [first, second] = [server.requests.slice(0, 3).map(seen), seen(server.requests[3]!)];
    const groups = [0, 10, 20].map((from) => patchscopeScales.slice(from, from + 10));
    expect(first.map(({ scales }) => scales).sort((a, b) => a[0]! - b[0]!)).toEqual(groups);
    // Winners in the order of their groups, each with its whole list but for echoes of the prompt.
    expect(second.scales).toEqual(groups.map((group) => (group.includes(peak) ? peak : group[0])));
    expect(second.readings.find(({ scale }) => scale === peak)!.tokens).toEqual([
      ' the',
      ' cake',
      ' batter ',
    ]);
    expect(result).toMatchObject({ scale: peak, selected: ['cake', 'batter'] });
    expect(result.tokens).toHaveLength(6); // as given
    expect(result.matches.map(({ round, decided }) => [round, decided])).toEqual([
      [0, 'BY_LLM'],
      [0, 'BY_LLM'],
      [0, 'BY_LLM'],
      [1, 'BY_LLM'],
    ]);
  });

  test('asked again, nothing is asked', async () => {
    const { runner, server } = await scriptedRunner(honest);
    const once = await scaleByTournament(runner, readings(3));
    const again = await scaleByTournament(runner, [...readings(3)].reverse());
    expect(server.requests).toHaveLength(4);
    expect(again.scale).toBe(once.scale);
    expect(again.matches.every(({ answers }) => answers.every(({ cached }) => cached))).toBe(true);
  });
});

describe('a reply that cannot be used', () => {
  const few: ScaleTokens[] = [
    { scale: 0.5, tokens: [' the'], score: 0.1 },
    { scale: 1, tokens: [' cake'], score: 0.3 },
    { scale: 2, tokens: ['?'], score: 0.9 },
  ];

  test.each([
    ['a foreign scale', chosen(7), 'scale 7, which was not there to choose'],
    ['a scale without tokens', chosen(2), 'scale 2, which has no tokens'],
    ['no call', { text: 'BEST_SCALER: 1' }, 'no call'],
    [
      'a scale in words',
      { calls: [{ name: 'give_scale', arguments: '{"comparison":"","scale":"1","tokens":[]}' }] },
      'arguments of another form',
    ],
  ] as [string, Said, string][])('%s: asked again', async (_, reply, invalid) => {
    const { runner, server } = await scriptedRunner([reply, chosen(0.5, ['the'])]);
    const { scale, selected, matches } = await scaleByTournament(runner, few);
    expect([scale, selected, server.requests.length]).toEqual([0.5, ['the'], 2]);
    expect(matches[0]!.answers.map((answer) => answer.invalid)).toEqual([invalid, null]);
  });

  test.each(['EXACT', 'COMPAT'] as const)('for ever: the best score decides (%s)', async (rule) => {
    const { runner, server } = await scriptedRunner(
      [rule === 'EXACT' ? chosen(7) : { text: 'BEST_SCALER: 7\nTOP_TOKENS: a' }],
      { rule },
    );
    const { scale, tokens, selected, matches } = await scaleByTournament(runner, few);
    expect([scale, tokens, selected, server.requests.length]).toEqual([1, [' cake'], [], 3]);
    expect(matches).toMatchObject([{ decided: 'BY_SCORE', winner: 1 }]);
  });

  test('without scores, the middle one of those that have tokens', async () => {
    const { runner } = await scriptedRunner([chosen(7)]);
    const unscored = few.map(({ scale, tokens }) => ({ scale, tokens }));
    expect((await scaleByTournament(runner, unscored)).scale).toBe(1);
  });
});

describe('few scales', () => {
  test('up to ten are one call, even one alone', async () => {
    for (const count of [1, 10]) {
      const { runner, server } = await scriptedRunner(honest);
      const some = readings(0.5).slice(0, count);
      expect((await scaleByTournament(runner, some)).scale).toBe(0.5);
      expect(server.requests).toHaveLength(1);
    }
  });

  test('eleven are three', async () => {
    const { runner, server } = await scriptedRunner(honest);
    expect((await scaleByTournament(runner, readings(1.5).slice(0, 11))).scale).toBe(1.5);
    expect(server.requests).toHaveLength(3);
  });

  test('those without tokens stay to be chosen from but are not shown; nothing but such is not asked about', async () => {
    const { runner, server } = await scriptedRunner(honest);
    await scaleByTournament(runner, [
      { scale: 1, tokens: [' a1'] },
      { scale: 2, tokens: ['=>', '...'] },
    ]);
    expect(seen(server.requests[0]!)).toEqual({ readings: [{ scale: 1, tokens: [' a1'] }], scales: [1, 2] });
    const silent = await scaleByTournament(runner, [{ scale: 2, tokens: ['->', ''] }]);
    expect(silent).toMatchObject({ scale: null, tokens: [], matches: [] });
    expect(server.requests).toHaveLength(1);
  });

  test.each([[[1, 1.04]], [[0, 1]], [[-1, 1]]])('%j are refused', async (scales) => {
    const { runner } = await scriptedRunner(honest);
    await expect(
      scaleByTournament(
        runner,
        scales.map((scale) => ({ scale, tokens: ['a'] })),
      ),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

test.each([
  ['BEST_SCALER: 1.25\nTOP_TOKENS: a | b |  | c ', { scale: 1.3, tokens: ['a', 'b', 'c'] }, 'same'],
  ['best_scaler: 2', { scale: 2, tokens: [] }, 'same'],
  ['BEST_SCALER: 1\nTOP_TOKENS: a\nBEST_SCALER: 2\nTOP_TOKENS: b', { scale: 1, tokens: ['a'] }, '2 verdicts'],
  ['BEST_SCALER: 1\nTOP_TOKENS: a\nTOP_TOKENS: b', { scale: 1, tokens: ['a'] }, '2 verdicts'],
  ['TOP_TOKENS: a', null, 'same'],
  ['The BEST_SCALER: 1', null, 'same'],
  ['BEST_SCALER: one', null, 'same'],
])('the lines %j', (text, verdict, exact) => {
  const parse = (rule: 'EXACT' | 'COMPAT') =>
    scaleTournament.parse(
      {
        text,
        calls: [],
        finish: 'stop',
        model: '',
        usage: { promptTokens: 0, completionTokens: 0 },
        raw: {},
      },
      [],
      { rule, form: 'TEXT' },
    );
  const published = verdict ? { verdict } : { invalid: 'no verdict' };
  expect(parse('COMPAT')).toEqual(published);
  expect(parse('EXACT')).toEqual(exact === 'same' ? published : { invalid: exact });
});
