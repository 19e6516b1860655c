import { describe, expect, test } from 'vitest';
import {
  coherence,
  type CoherenceBatch,
  coherenceJudge,
  gradeCoherence,
} from '../../src/graders/coherence.ts';
import { memoryExchanges } from '../../src/graders/exchange-store.ts';
import type { ReplyRule } from '../../src/graders/define-grader.ts';
import { identityOf } from '../../src/graders/define-grader.ts';
import { localModel } from '../../src/graders/providers/local-model.ts';
import { Runner } from '../../src/graders/runner.ts';
import type { CoherenceJudge } from '../../src/steering/judge.ts';
import { publishedSearch, searchThreshold } from '../../src/steering/threshold-search.ts';
import { materialOf, type Reaction, type Received, type Said } from '../harness/chat-server.ts';
import { bundled, openModel } from '../harness/models.ts';
import { scriptedRunner } from '../harness/scripted-runner.ts';

const called = (verdict: string): Said => ({
  calls: [{ name: 'give_verdict', arguments: JSON.stringify({ observation: 'Read it.', verdict }) }],
});
const textOf = (request: Received): string => (materialOf(request) as { text: string }).text;

describe('a verdict in a text', () => {
  const parse = (text: string, rule: ReplyRule) =>
    coherence.parse(
      {
        text,
        calls: [],
        finish: 'stop',
        model: '',
        usage: { promptTokens: 0, completionTokens: 0 },
        raw: {},
      },
      undefined,
      { rule, form: 'TEXT' },
    );
  const [coherent, incoherent] = [{ verdict: 'COHERENT' }, { verdict: 'INCOHERENT' }];

  test.each([
    ['Fine.\nANSWER: COHERENT', coherent, coherent],
    ['answer: incoherent.', incoherent, incoherent],
    ['  Answer :Coherent!  \n\n', coherent, coherent],
    ['ANSWER: COHERENT\r\nbye', coherent, coherent],
    ['It says ANSWER: COHERENT', { invalid: 'no verdict' }, { invalid: 'no verdict' }],
    ['ANSWER: COHERENT?', { invalid: 'no verdict' }, { invalid: 'no verdict' }],
    ['ANSWER: COHERENT or not', { invalid: 'no verdict' }, { invalid: 'no verdict' }],
    ['', { invalid: 'no verdict' }, { invalid: 'no verdict' }],
    ['ANSWER: COHERENT\nNo:\nANSWER: INCOHERENT', incoherent, { invalid: '2 verdicts' }],
    ['ANSWER: COHERENT\nANSWER: COHERENT', coherent, { invalid: '2 verdicts' }],
  ])('%j', (text, compat, exact) => {
    expect(parse(text, 'COMPAT')).toEqual(compat);
    expect(parse(text, 'EXACT')).toEqual(exact);
  });
});

describe('a judgement', () => {
  test('asks with instructions, a delimiter of its own and the text as JSON', async () => {
    const { runner, server } = await scriptedRunner([called('COHERENT')]);
    const text = 'Once "upon" a time\nthere was\n=====\na fox.';
    expect((await gradeCoherence(runner, text)).verdict).toBe('COHERENT');
    const [{ body }] = server.requests as [Received];
    const [system, user] = body.messages;
    expect([system!.role, user!.role, body.messages.length]).toEqual(['system', 'user', 2]);
    const delimiter = user!.content.split('\n')[0]!;
    expect(delimiter).toMatch(/^=====[0-9a-f]{32}=====$/);
    expect(system!.content).toContain(`\`${delimiter}\``);
    expect(system!.content).toContain('call `give_verdict` exactly once');
    expect(system!.content).not.toContain('ANSWER:');
    expect(textOf(server.requests[0]!)).toBe(text);
    expect(body.tools!.map(({ function: { name } }) => name)).toEqual(['give_verdict']);
    expect(body.max_tokens).toBe(1000);
  });

  test('in COMPAT asks for lines of text', async () => {
    const { runner, server } = await scriptedRunner([{ text: 'ANSWER: COHERENT\nANSWER: INCOHERENT' }], {
      rule: 'COMPAT',
    });
    expect((await gradeCoherence(runner, 'x y')).verdict).toBe('INCOHERENT');
    expect(server.requests[0]!.body.tools).toBeUndefined();
    expect(server.requests[0]!.body.messages[0]!.content).toContain('ANSWER: INCOHERENT');
  });

  test('in text is read again by the other rule without asking anybody', async () => {
    const exchanges = memoryExchanges();
    const options = { callsFunctions: false, exchanges };
    const exact = await scriptedRunner([{ text: 'ANSWER: COHERENT\nANSWER: INCOHERENT' }], options);
    expect((await gradeCoherence(exact.runner, 'x y')).verdict).toBe('UNKNOWN');
    const again = { ...options, baseUrl: exact.server.url, rule: 'COMPAT' as const };
    const compat = await scriptedRunner([{ status: 500 }], again);
    expect((await gradeCoherence(compat.runner, 'x y')).verdict).toBe('INCOHERENT');
    expect([exact.server.requests.length, compat.server.requests.length]).toEqual([2, 0]);
  });

  const spoilt: [string, Reaction][] = [
    ['no call', { text: 'ANSWER: COHERENT' }],
    ['two calls', { calls: [...called('COHERENT').calls!, ...called('COHERENT').calls!] }],
    ['a call and a line that contradict', { ...called('COHERENT'), text: 'ANSWER: INCOHERENT' }],
    ['a call of something else', { calls: [{ name: 'delete_all', arguments: '{}' }] }],
    ['arguments cut off', { calls: [{ name: 'give_verdict', arguments: '{"observation": "a", "verd' }] }],
    ['arguments that are a list', { calls: [{ name: 'give_verdict', arguments: '["COHERENT"]' }] }],
    ['another label', called('VERY COHERENT')],
    [
      'two verdicts in one call',
      {
        calls: [
          {
            name: 'give_verdict',
            arguments: '{"observation":"a","verdict":"COHERENT","verdict":"INCOHERENT"}',
          },
        ],
      },
    ],
    ['a reply cut off at its maximum', { ...called('COHERENT'), finish: 'length' }],
  ];
  test.each(spoilt)('%s: asked once more at temperature 0, then unknown', async (_, reaction) => {
    const { runner, server } = await scriptedRunner([reaction]);
    const grade = await gradeCoherence(runner, 'x y');
    expect(grade.verdict).toBe('UNKNOWN');
    expect(server.requests.map(({ body }) => body.temperature)).toEqual([undefined, 0]);
    expect(grade.answers.map(({ invalid }) => typeof invalid)).toEqual(['string', 'string']);

    const second = await scriptedRunner([reaction, called('INCOHERENT')]);
    expect((await gradeCoherence(second.runner, 'x y')).verdict).toBe('INCOHERENT');
  });

  test('of a blank text is unknown, and nobody is asked', async () => {
    const { runner, server } = await scriptedRunner([called('COHERENT')]);
    expect((await gradeCoherence(runner, ' \n')).verdict).toBe('UNKNOWN');
    expect(server.requests).toHaveLength(0);
  });
});

describe('as the judge of the search', () => {
  test('28 + 14 + 14 strengths and the controls; the threshold is where the judge says', async () => {
    const { runner, server } = await scriptedRunner(
      (request) => {
        const [, strength] = /strength ([\d.e-]+),/.exec(textOf(request)) ?? [];
        return called(Number(strength ?? NaN) <= 17 ? 'COHERENT' : 'INCOHERENT');
      },
      { limits: { concurrency: 16 } },
    );
    const batches: CoherenceBatch[] = [];
    const judge: CoherenceJudge = coherenceJudge(runner, { onBatch: (batch) => batches.push(batch) });
    const { thresholds, tested } = await searchThreshold(
      3,
      { ...publishedSearch, samples: 4, retests: 0 },
      ({ prompt, strengths, samples, seed }) =>
        Promise.resolve(
          strengths.map((strength) =>
            Array.from({ length: samples }, (_, sample) => ({
              text: `Text ${sample} at strength ${strength}, seed ${seed}, prompt ${prompt}.`,
            })),
          ),
        ),
      judge,
    );
    expect([0, 1, 2].map((p) => tested.filter(({ prompt }) => prompt === p).length)).toEqual([29, 15, 15]);
    expect(thresholds[0]).toBeLessThanOrEqual(17);
    expect(thresholds[0]).toBeGreaterThan(17 - 100 / 4096);
    // Every text once, and a pair of canaries a batch.
    const asked = 59 * 4 + 2 * batches.length;
    expect(runner.spent.calls).toBe(server.requests.length);
    expect(server.requests.length).toBeLessThanOrEqual(asked); // equal canaries are known
    expect(batches.flatMap(({ grades }) => grades)).toHaveLength(59 * 4);
    expect(batches.every(({ canary }) => !canary.flagged)).toBe(true);
    expect(judge).toMatchObject({
      name: 'coherence',
      version: 2,
      parameters: { model: 'judge', endpoint: server.url, promptDigest: coherence.prompt.digest },
    });
  });

  test('a failing provider fails the search', async () => {
    const { runner } = await scriptedRunner([{ status: 401 }]);
    await expect(coherenceJudge(runner).judge(['a text'])).rejects.toMatchObject({
      code: 'PROVIDER_REFUSED',
    });
  });
});

test('a checkpoint of our own may be the judge; what it cannot say is unknown', async () => {
  const model = await openModel(bundled('tiny-qwen3'));
  const runner = new Runner({ provider: localModel(model, { name: 'tiny-qwen3', digest: 'd' }) });
  const grade = await gradeCoherence(runner, 'The baker opened early.');
  expect(grade.answers).toHaveLength(1);
  expect(grade.answers[0]!.exchange).toMatchObject({
    grader: 'coherence',
    graderVersion: 2,
    promptDigest: identityOf(coherence).promptDigest,
    model: 'local:tiny-qwen3',
  });
  expect(grade.verdict).toBe('UNKNOWN');
});
