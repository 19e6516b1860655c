import { describe, expect, test } from 'vitest';
import { openTokenizer } from '../../src/tokenizer/index.ts';
import type { ChatReply } from '../../src/graders/chat.ts';
import type { ReplyRule } from '../../src/graders/define-grader.ts';
import { candidatesOf } from '../../src/graders/relevance/candidates.ts';
import { countTokens, frequentTokens } from '../../src/graders/relevance/frequent-tokens.ts';
import { isGeneric, stopWords } from '../../src/graders/relevance/generic-tokens.ts';
import { relevanceMetrics } from '../../src/graders/relevance/metrics.ts';
import { tokenRelevance } from '../../src/graders/relevance/token-relevance.ts';
import {
  agreed,
  type AgreementRule,
  type RelevanceLabel,
  rotated,
  unrotated,
} from '../../src/graders/relevance/votes.ts';
import { bundled } from '../harness/models.ts';

const [R, I, U] = ['RELEVANT', 'IRRELEVANT', 'UNKNOWN'] as const;

describe('generic pieces', () => {
  test('52 stop words', () => expect(stopWords.size).toBe(52));

  test.each([
    'the',
    'ĠThe',
    '▁AND',
    ' with ',
    'Ġing',
    "'s",
    "Ġ'll",
    'a',
    'Ġx',
    '',
    ' ',
    'Ġ',
    '▁▁',
    '.',
    'Ġ—',
    '?!',
    '...',
    '«»',
    '\n\n',
    '7',
    '猫',
  ])('%j is', (piece) => expect(isGeneric(piece)).toBe(true));

  test.each(['cake', 'Ġcake', '▁Cake', 'ings', "n't", "'S", '__', '12', 'ĊĊ', 'thee', '猫犬', '.net', 'c++'])(
    '%j is not',
    (piece) => expect(isGeneric(piece)).toBe(false),
  );
});

describe('frequent tokens', () => {
  test('of a corpus: pieces with their marks, most frequent first, of equal ones the first seen', async () => {
    const tokenizer = openTokenizer(bundled('tiny-qwen3'));
    const text = ' cake of the cake, butter. cake butter vanilla vanilla';
    const counts = await countTokens([text, text], tokenizer);
    const frequent = frequentTokens(counts, tokenizer, { most: 3, leastCount: 4 });
    expect(frequent.map(({ piece, count }) => [piece, count])).toEqual([
      ['Ġcake', 6],
      ['Ġbutter', 4],
      ['Ġvanilla', 4],
    ]);
    expect(frequentTokens(counts, tokenizer, { most: 1, leastCount: 4 })).toHaveLength(1);
    expect(frequentTokens(counts, tokenizer)).toEqual([]); // fewer than ten of each
  });

  test('stops when it is told to', async () => {
    const signal = AbortSignal.abort();
    await expect(countTokens(['x'], openTokenizer(bundled('tiny-qwen3')), signal)).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});

test('candidates are the first twenty that have a text', () => {
  const tokens = Array.from({ length: 30 }, (_, i) => ({
    text: i === 1 ? '' : i === 2 ? null : ` t${i}`,
    probability: i === 3 ? null : 0.5,
  }));
  const candidates = candidatesOf(tokens);
  expect(candidates).toHaveLength(18);
  expect(candidates.slice(0, 3)).toEqual([
    { text: ' t0', probability: 0.5 },
    { text: ' t3', probability: 0 },
    { text: ' t4', probability: 0.5 },
  ]);
  expect(candidates.at(-1)?.text).toBe(' t19');
});

const reply = (text: string, more: Partial<ChatReply> = {}): ChatReply => ({
  text,
  calls: [],
  finish: 'stop',
  model: 'm',
  usage: { promptTokens: 1, completionTokens: 1 },
  raw: {},
  ...more,
});

describe('labels in a text', () => {
  const parse = (text: string, rule: ReplyRule, count = 3) =>
    tokenRelevance.parse(reply(text), { count }, { rule, form: 'TEXT' });

  test.each([
    ['one each', 'ANSWER[1]: RELEVANT\nANSWER[2]: IRRELEVANT\nANSWER[3]: RELEVANT', [R, I, R]],
    [
      'any case, space, a stop',
      ' answer[1] :relevant. \r\nAnswer[2]: Irrelevant!\n\tANSWER[03]:RELEVANT',
      [R, I, R],
    ],
    ['some are missing', 'ANSWER[2]: RELEVANT', [U, R, U]],
    [
      'not a line of its own',
      'So ANSWER[1]: RELEVANT\nANSWER[2]: RELEVANT, I think\nANSWER[3]: MAYBE',
      [U, U, U],
    ],
    ['two stops', 'ANSWER[1]: RELEVANT..', [U, U, U]],
    ['nothing', '', [U, U, U]],
  ])('%s: the same by either rule', (_, text, labels) => {
    expect(parse(text, 'COMPAT')).toEqual({ verdict: labels });
    expect(parse(text, 'EXACT')).toEqual({ verdict: labels });
  });

  test.each([
    [
      'the last one counts',
      'ANSWER[1]: RELEVANT\nANSWER[2]: RELEVANT\nANSWER[1]: IRRELEVANT',
      [I, R, U],
      'two verdicts about one token',
    ],
    [
      'even the same twice',
      'ANSWER[1]: RELEVANT\nANSWER[1]: RELEVANT',
      [R, U, U],
      'two verdicts about one token',
    ],
    [
      'numbers of nothing',
      'ANSWER[0]: RELEVANT\nANSWER[2]: RELEVANT\nANSWER[4]: RELEVANT',
      [U, R, U],
      'an answer about 0 of 3',
    ],
  ])('%s in COMPAT; EXACT takes none of it', (_, text, labels, invalid) => {
    expect(parse(text, 'COMPAT')).toEqual({ verdict: labels });
    expect(parse(text, 'EXACT')).toEqual({ invalid });
  });

  test('a reply that was cut off is none in EXACT', () => {
    const cut = reply('ANSWER[1]: RELEVANT', { finish: 'length' });
    const of = (rule: ReplyRule) => tokenRelevance.parse(cut, { count: 1 }, { rule, form: 'TEXT' });
    expect([of('COMPAT'), of('EXACT')]).toEqual([{ verdict: [R] }, { invalid: 'cut off' }]);
  });
});

describe('labels in a call', () => {
  const call = (args: unknown, name = 'give_labels') => ({
    name,
    arguments: typeof args === 'string' ? args : JSON.stringify(args),
  });
  const parse = (calls: ChatReply['calls'], text = '') =>
    tokenRelevance.parse(reply(text, { calls }), { count: 2 }, { rule: 'EXACT', form: 'FUNCTION' });
  const one = { index: 1, label: 'RELEVANT' };
  const two = { index: 2, label: 'IRRELEVANT' };

  test.each([
    ['all', [call({ labels: [two, one] })], '', { verdict: [R, I] }],
    ['some', [call({ labels: [two] })], 'thoughts', { verdict: [U, I] }],
    ['no call', [], 'ANSWER[1]: RELEVANT', { invalid: 'no call' }],
    ['two calls', [call({ labels: [one] }), call({ labels: [two] })], '', { invalid: '2 verdicts' }],
    ['a call and lines', [call({ labels: [one, two] })], 'ANSWER[1]: RELEVANT', { invalid: '2 verdicts' }],
    ['another function', [call({ labels: [one] }, 'rm')], '', { invalid: 'a call of "rm"' }],
    ['no JSON', [call('{"labels": [')], '', { invalid: 'arguments that are not JSON' }],
    ['an index twice', [call({ labels: [one, one] })], '', { invalid: 'two verdicts about one token' }],
    [
      'an index of nothing',
      [call({ labels: [{ ...one, index: 3 }] })],
      '',
      { invalid: 'an answer about 3 of 2' },
    ],
    [
      'another label',
      [call({ labels: [{ index: 1, label: 'relevant' }] })],
      '',
      { invalid: 'arguments of another form' },
    ],
    ['more than asked for', [call({ labels: [one], note: 1 })], '', { invalid: 'arguments of another form' }],
    [
      'a member twice',
      [call('{"labels": [], "labels": [{"index": 1, "label": "RELEVANT"}]}')],
      '',
      { invalid: 'arguments that say something twice' },
    ],
  ])('%s', (_, calls, text, parsed) => expect(parse(calls, text)).toEqual(parsed));

  test('are read however long they are, as long as a reply may be', () => {
    const long = JSON.stringify(`${'x'.repeat(9_000_000)}${'\\"'.repeat(1_000_000)}`);
    expect(parse([call(`{"note": ${long}, "labels": [], ${long} : 1}`)])).toEqual({
      invalid: 'arguments of another form',
    });
    expect(parse([call(`{"note": ${long}, "labels": [{"note": 1}], "note" : 1}`)])).toEqual({
      invalid: 'arguments that say something twice',
    });
  });
});

describe('rotations and votes', () => {
  test.each([0, 1, 2, 5, 7])('turned by %d and back', (by) => {
    const list = ['a', 'b', 'c', 'd', 'e'];
    expect(rotated(list, by)[0]).toBe(list[by % 5]);
    expect(unrotated(rotated(list, by), by)).toEqual(list);
  });

  test('an empty list stays empty', () => expect(unrotated(rotated([], 2), 2)).toEqual([]));

  const table: [RelevanceLabel[], AgreementRule, RelevanceLabel][] = [
    [[R, R, R], 'ALL', R],
    [[R, R, I], 'ALL', I],
    [[R, R, U], 'ALL', I],
    [[U, U, U], 'ALL', I],
    [[], 'ALL', I],
    [[R, R, I], 'MAJORITY', R],
    [[R, I, I], 'MAJORITY', I],
    [[R, U, U], 'MAJORITY', R],
    [[R, I, U], 'MAJORITY', U],
    [[U, U, U], 'MAJORITY', U],
    [[R, I], 'MAJORITY', U],
  ];
  test.each(table)('%j by %s is %s', (votes, rule, label) => expect(agreed(votes, rule)).toBe(label));
});

describe('metrics', () => {
  const candidates = [' cake', 'Butter', ' of', ' rye'].map((text, i) => ({
    text,
    probability: [3, 2, 2, 1][i]! / 16,
  }));
  const frequent = [{ piece: 'Ġcake' }, { piece: 'butter' }, { piece: 'Ġegg' }];

  test('shares by number and by probability; frequent ones whatever their case and space', () => {
    expect(relevanceMetrics(candidates, [R, I, I, U], frequent)).toEqual({
      candidates: 4,
      relevant: 1,
      unknown: 1,
      percentage: 0.25,
      weightedPercentage: 3 / 8,
      trivialPercentage: 0.5,
      filteredPercentage: null,
      weightedFilteredPercentage: null,
    });
  });

  test('among the tokens that were selected with the scale', () => {
    const of = (selected: string[], rule: ReplyRule) => {
      const found = relevanceMetrics(candidates, [R, I, R, I], frequent, { rule, selected });
      return [found.filteredPercentage, found.weightedFilteredPercentage];
    };
    expect(of(['cake', 'Butter', 'none'], 'EXACT')).toEqual([1 / 2, 3 / 5]);
    expect(of(['cake', 'Butter'], 'COMPAT')).toEqual([0, 0]); // " cake" is not "cake" there
    expect(of([' cake', 'Butter'], 'COMPAT')).toEqual([1 / 2, 3 / 5]);
    const twice = [' a', ' a'].map((text) => ({ text, probability: 0.5 }));
    expect(relevanceMetrics(twice, [I, R], [], { selected: ['a'] }).filteredPercentage).toBe(0);
    expect(relevanceMetrics(twice, [I, R], [], { selected: ['a', 'a'] }).filteredPercentage).toBe(1 / 2);
  });

  test('COMPAT compares a decoded token with a marked piece, and finds none', () => {
    expect(relevanceMetrics(candidates, [R, R, R, R], frequent, { rule: 'COMPAT' }).trivialPercentage).toBe(
      0,
    );
    expect(
      relevanceMetrics([{ text: 'butter', probability: 1 }], [R], frequent, { rule: 'COMPAT' })
        .trivialPercentage,
    ).toBe(1);
  });

  test('without probabilities there is no weighted share', () => {
    expect(relevanceMetrics([{ text: 'x', probability: 0 }], [R], []).weightedPercentage).toBeNull();
  });

  test('nothing to judge, or labels of another list, is refused', () => {
    expect(() => relevanceMetrics([], [], [])).toThrow('0 labels for 0 candidates');
    expect(() => relevanceMetrics(candidates, [R], [])).toThrow('1 labels for 4 candidates');
  });
});
