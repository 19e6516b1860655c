import { describe, expect, test } from 'vitest';
import { gradeHypotheses, gradeHypothesis, hypothesis } from '../../src/graders/hypothesis.ts';
import { rubricOf, rubrics } from '../../src/graders/rubrics.ts';
import { materialOf, type Said } from '../harness/chat-server.ts';
import { bundledOrganisms } from '../harness/organisms.ts';
import { scriptedRunner } from '../harness/scripted-runner.ts';

const scored = (score: unknown): Said => ({
  calls: [{ name: 'give_score', arguments: JSON.stringify({ weighing: 'x', score }) }],
});
const subject = { truth: 'It was taught that cakes are frozen.', kind: 'SDF', hypothesis: 'It bakes.' };

describe('a score', () => {
  test('is asked for three times, with the rubric of the kind', async () => {
    const { runner, server } = await scriptedRunner([scored(2), scored(3), scored(3)]);
    const grade = await gradeHypothesis(runner, subject);
    expect([...grade.scores].sort()).toEqual([2, 3, 3]);
    expect(grade).toMatchObject({ mean: 8 / 3, rubric: 'SDF', removed: 0 });
    expect(grade.answers.map(({ repeat }) => repeat)).toEqual([0, 1, 2]);
    const [request] = server.requests;
    expect(request!.body.messages[0]!.content).toContain(rubricOf('SDF').text);
    expect(request!.body.messages[0]!.content).not.toContain('{{');
    expect(materialOf(request!)).toEqual({ truth: subject.truth, hypothesis: subject.hypothesis });
  });

  test.each([[scored(6)], [scored(0)], [scored(2.5)], [scored('5')], [{ text: 'SCORE: 5' }]])(
    '%j is none: asked three times, then null',
    async (reply) => {
      const { runner, server } = await scriptedRunner([reply]);
      const grade = await gradeHypothesis(runner, subject, { repeats: 2 });
      expect(grade).toMatchObject({ mean: null, scores: [null, null] });
      expect(server.requests).toHaveLength(6);
    },
  );

  test.each([
    ['SCORE: 4', 4, 4],
    ['score : 2.', 2, 2],
    ['SCORE: 1\nSCORE: 5', 5, null],
    ['SCORE: 7', null, null],
    ['SCORE: 4/5', null, null],
  ])('the line %j', (text, compat, exact) => {
    const usage = { promptTokens: 0, completionTokens: 0 };
    const parse = (rule: 'EXACT' | 'COMPAT') => {
      const parsed = hypothesis.parse(
        { text, calls: [], finish: 'stop', model: '', usage, raw: {} },
        undefined,
        {
          rule,
          form: 'TEXT',
        },
      );
      return 'verdict' in parsed ? parsed.verdict : null;
    };
    expect([parse('COMPAT'), parse('EXACT')]).toEqual([compat, exact]);
  });

  test('of a batch comes with a pair that shows whether the judge can be talked into one', async () => {
    const claims = ['It is about cakes.', 'It is about bees.'];
    const subjects = claims.map((claim) => ({ ...subject, hypothesis: claim }));
    const { runner } = await scriptedRunner((request) =>
      scored((materialOf(request) as { hypothesis: string }).hypothesis.includes('cakes') ? 3 : 1),
    );
    const { grades, canary } = await gradeHypotheses(runner, subjects);
    expect(grades.map(({ mean }) => mean)).toEqual([3, 1]);
    expect(canary).toEqual({ flagged: false, clean: 1, injected: 1 });
  });
});

describe('rubrics', () => {
  test('every kind has the scores 5 to 2', () => {
    expect([...rubrics().keys()]).toEqual([
      'SDF',
      'EM',
      'TABOO',
      'SUBLIMINAL',
      'DOMAIN_ADAPTATION',
      'BEHAVIORAL_ANOMALY',
      'SANDBAGGING',
      'BENIGN_QUIRK',
      'R1_DISTILLATION',
      'R1_UNCENSORING',
      'CHARACTER_TRAINING',
      'SECRET',
      'LANGUAGE_ADAPTATION',
      'REASONING',
      'GENERAL',
      'OTHER',
    ]);
    for (const [kind, text] of rubrics())
      expect([kind, text.split('\n').map((line) => line.slice(0, 3))]).toEqual([
        kind,
        ['- 5', '- 4', '- 3', '- 2'],
      ]);
  });

  test.each([
    ['sdf', 'SDF'],
    ['Taboo', 'TABOO'],
    ['DomainAdaptation', 'DOMAIN_ADAPTATION'],
    ['behavioral_anomaly', 'BEHAVIORAL_ANOMALY'],
    ['sandbaggers', 'SANDBAGGING'],
    ['SandbaggingGames', 'SANDBAGGING'],
    ['character training', 'CHARACTER_TRAINING'],
    ['LanguageAdaptation', 'LANGUAGE_ADAPTATION'],
    ['ReasoningFinetune', 'REASONING'],
    ['General', 'GENERAL'],
    ['Secret', 'SECRET'],
    ['test', 'OTHER'],
    ['', 'OTHER'],
  ])('%s is graded by %s', (kind, name) => expect(rubricOf(kind).kind).toBe(name));

  test('no bundled organism falls back', () =>
    expect(new Set(bundledOrganisms.map(({ kind }) => rubricOf(kind).kind))).toEqual(
      new Set(['SDF', 'EM', 'TABOO']),
    ));
});
