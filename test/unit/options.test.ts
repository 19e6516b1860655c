import { InvalidArgumentError } from 'commander';
import { describe, expect, test } from 'vitest';
import { byteCount, nonNegative, positive, wholeNumber } from '../../src/cli/options.ts';

describe('wholeNumber', () => {
  test.each([
    ['1', 1],
    ['007', 7],
    ['65535', 65535],
  ])('takes %s', (text, value) => {
    expect(wholeNumber(1, 65535)(text)).toBe(value);
  });

  test.each(['0', '65536', '-1', '1.0', '1e3', '0x10', ' 1', '', 'one', '1_000'])('refuses "%s"', (text) => {
    expect(() => wholeNumber(1, 65535)(text)).toThrow(
      new InvalidArgumentError('A whole number from 1 to 65535 is expected.'),
    );
  });

  test('without an upper bound stops at what a number holds exactly', () => {
    expect(wholeNumber(0)('9007199254740991')).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => wholeNumber(0)('9007199254740992')).toThrow('A whole number from 0 is expected.');
  });
});

describe('nonNegative', () => {
  test.each([
    ['0', 0],
    ['0.25', 0.25],
    ['1e-3', 0.001],
  ])('takes %s', (text, value) => {
    expect(nonNegative(text)).toBe(value);
  });

  test.each(['-0.1', '', ' ', 'NaN', 'Infinity', 'half'])('refuses "%s"', (text) => {
    expect(() => nonNegative(text)).toThrow(InvalidArgumentError);
  });
});

describe('positive', () => {
  test.each([
    ['0.7', 0.7],
    ['200', 200],
    ['1e-3', 0.001],
  ])('takes %s', (text, value) => {
    expect(positive(text)).toBe(value);
  });

  test.each(['0', '-0', '-0.1', '', ' ', 'NaN', 'Infinity', 'half'])('refuses "%s"', (text) => {
    expect(() => positive(text)).toThrow(new InvalidArgumentError('A number above 0 is expected.'));
  });
});

describe('byteCount', () => {
  test.each([
    ['1073741824', 2 ** 30],
    ['1k', 1024],
    ['800M', 800 * 2 ** 20],
    ['800MB', 800 * 2 ** 20],
    ['2GiB', 2 ** 31],
    ['1.5 gib', 1.5 * 2 ** 30],
    ['1T', 2 ** 40],
    ['10b', 10],
  ])('%s', (text, bytes) => {
    expect(byteCount(text)).toBe(bytes);
  });

  test.each(['', 'G', '-1G', '1P', '1,5G', '1Gi', 'one', '1 G B', '9'.repeat(310), '0', '0.5', '4097T'])(
    'refuses "%s"',
    (text) => {
      expect(() => byteCount(text)).toThrow(
        new InvalidArgumentError('A size is expected, like 800M or 2GiB.'),
      );
    },
  );
});
