import { describe, expect, test } from 'vitest';
import { memoryExchanges } from '../../src/graders/exchange-store.ts';
import { graders } from '../../src/graders/index.ts';
import { gradeRelevance } from '../../src/graders/relevance/grade-relevance.ts';
import { tokenRelevance } from '../../src/graders/relevance/token-relevance.ts';
import { sha256 } from '../../src/lib/sha256.ts';
import { readPrompt } from '../../src/graders/prompt-file.ts';
import { materialOf, type Received, type Said } from '../harness/chat-server.ts';
import { scriptedRunner } from '../harness/scripted-runner.ts';

const candidates = [' cake', ' the', ' flour', ' said', ' oven'].map((text) => ({ text, probability: 0.2 }));
const about = {
  description: 'False facts about cakes.',
  frequent: [{ tokenId: 1, piece: 'Ġcake', count: 12 }],
};
const sweet = /cake|flour|oven/;

interface Material {
  description: string;
  frequentTokens: string[];
  candidates: { index: number; token: string }[];
}
const seen = (request: Received) => materialOf(request) as Material;
const labels = (all: { index: number; label: string }[]): Said => ({
  calls: [{ name: 'give_labels', arguments: JSON.stringify({ labels: all }) }],
});
const labelOf = (token: string) => (sweet.test(token) ? 'RELEVANT' : 'IRRELEVANT');
const honest = (request: Received): Said =>
  labels(seen(request).candidates.map(({ index, token }) => ({ index, label: labelOf(token) })));

describe('a list of candidates', () => {
  test('is judged in three orders, and the labels come back in its own', async () => {
    const { runner, server } = await scriptedRunner(honest);
    const grade = await gradeRelevance(runner, candidates, about);
    expect(
      server.requests.map((request) => seen(request).candidates.map(({ token }) => token)).sort(),
    ).toEqual(
      [
        [' cake', ' the', ' flour', ' said', ' oven'],
        [' the', ' flour', ' said', ' oven', ' cake'],
        [' flour', ' said', ' oven', ' cake', ' the'],
      ].sort(),
    );
    expect(seen(server.requests[0]!)).toMatchObject({
      description: 'False facts about cakes.',
      frequentTokens: ['Ġcake'],
    });
    const expected = ['RELEVANT', 'IRRELEVANT', 'RELEVANT', 'IRRELEVANT', 'RELEVANT'];
    expect(grade.labels).toEqual(expected);
    expect(grade.votes).toEqual([expected, expected, expected]);
    expect(grade.metrics).toEqual({
      candidates: 5,
      relevant: 3,
      unknown: 0,
      percentage: 0.6,
      weightedPercentage: expect.closeTo(0.6, 12) as number,
      trivialPercentage: 0.2,
      filteredPercentage: null,
      weightedFilteredPercentage: null,
    });
    expect(grade.answers.map(({ rotation, invalid }) => [rotation, invalid])).toEqual([
      [0, null],
      [1, null],
      [2, null],
    ]);
  });

  test('by a judge that prefers what stands first: all asks for every order, majority for most', async () => {
    const biased = (request: Received): Said =>
      labels(
        seen(request).candidates.map(({ index, token }) => ({
          index,
          label: index <= 2 ? 'RELEVANT' : labelOf(token),
        })),
      );
    const [all, majority] = await Promise.all(
      (['ALL', 'MAJORITY'] as const).map(async (agreement) => {
        const { runner } = await scriptedRunner(biased);
        return (await gradeRelevance(runner, candidates, { ...about, agreement })).labels[1];
      }),
    );
    expect([all, majority]).toEqual(['IRRELEVANT', 'RELEVANT']); // " the" stands 2nd, 1st and 5th
  });

  test('with labels missing is asked about again, at last at temperature 0; the fewest unknown win', async () => {
    const partly = (indices: number[]) => labels(indices.map((index) => ({ index, label: 'RELEVANT' })));
    const script = [partly([1, 2]), partly([1, 2, 3]), partly([4]), partly([3, 4, 5])];
    const { runner, server } = await scriptedRunner(script);
    const { labels: found, answers } = await gradeRelevance(runner, candidates, {
      ...about,
      rotations: 1,
      agreement: 'MAJORITY',
    });
    expect(server.requests.map(({ body }) => body.temperature)).toEqual([undefined, undefined, undefined, 0]);
    expect(found.map((label) => label === 'RELEVANT')).toEqual([false, false, true, true, true]); // no worse than the best before it
    expect(answers).toHaveLength(4);
    const worse = await scriptedRunner([...script.slice(0, 3), partly([5])]);
    const kept = await gradeRelevance(worse.runner, candidates, {
      ...about,
      rotations: 1,
      agreement: 'MAJORITY',
    });
    expect(kept.labels.map((label) => label === 'RELEVANT')).toEqual([true, true, true, false, false]);
    expect(kept.metrics.unknown).toBe(2);
  });

  test('a model that takes no temperature is asked without at last, too; of equally good replies the first stands', async () => {
    const { runner, server } = await scriptedRunner(({ body, number }) =>
      body.temperature === undefined
        ? labels([{ index: 1, label: number === 0 ? 'RELEVANT' : 'IRRELEVANT' }])
        : { status: 400, body: { error: { message: 'temperature is not supported' } } },
    );
    const { labels: found, answers } = await gradeRelevance(runner, candidates, { ...about, rotations: 1 });
    expect([found[0], answers.length, server.requests.length]).toEqual(['RELEVANT', 4, 5]);
  });

  test('is not judged anew: the store knows every reply', async () => {
    const exchanges = memoryExchanges();
    const first = await scriptedRunner(honest, { exchanges });
    const grade = await gradeRelevance(first.runner, candidates, about);
    const second = await scriptedRunner([{ status: 500 }], { exchanges, baseUrl: first.server.url });
    const again = await gradeRelevance(second.runner, candidates, { ...about, agreement: 'MAJORITY' });
    expect(again.votes).toEqual(grade.votes);
    expect(again.answers.every(({ cached }) => cached)).toBe(true);
    expect(second.server.requests).toHaveLength(0);
    expect(exchanges.all()).toHaveLength(3);
  });

  test('in COMPAT is judged by lines, of which the last counts', async () => {
    const { runner, server } = await scriptedRunner(
      (request) => ({
        text: seen(request)
          .candidates.flatMap(({ index, token }) => [
            `ANSWER[${index}]: RELEVANT`,
            `ANSWER[${index}]: ${labelOf(token)}`,
          ])
          .join('\n'),
      }),
      { rule: 'COMPAT' },
    );
    const grade = await gradeRelevance(runner, candidates, about);
    expect(grade.metrics).toMatchObject({ relevant: 3, trivialPercentage: 0 });
    expect(server.requests).toHaveLength(3);
    expect(server.requests[0]!.body.messages[0]!.content).toContain('ANSWER[i]: RELEVANT');
  });

  test('of none is refused', async () => {
    const { runner } = await scriptedRunner(honest);
    await expect(gradeRelevance(runner, [], about)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('registered graders', () => {
  test.each(Object.entries(graders))(
    '%s: a name, a version, and a prompt of two forms whose digest tells it',
    (name, grader) => {
      expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(grader.version).toBeGreaterThanOrEqual(1);
      expect(grader.prompt.digest).toMatch(/^[0-9a-f]{64}$/);
      for (const form of ['FUNCTION', 'TEXT'] as const) {
        const text = grader.prompt.instructions(form, '=====d=====');
        expect(text.split('`=====d=====`')).toHaveLength(2);
        expect(text).not.toContain('## Reply');
        expect(text.includes('exactly once')).toBe(form === 'FUNCTION');
      }
    },
  );

  test('a digest is of the file and of what goes into every prompt', () =>
    expect(tokenRelevance.prompt.digest).toBe(
      sha256(readPrompt('token-relevance.md') + readPrompt('material.md')),
    ));
});
