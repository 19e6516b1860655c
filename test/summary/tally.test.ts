import { expect, test } from 'vitest';
import { renderTally, tallySuite } from './tally.ts';

const vitest = (...files: [status: string, ...cases: string[]][]): string =>
  JSON.stringify({
    testResults: files.map(([status, ...cases]) => ({
      status,
      assertionResults: cases.map((status) => ({ status })),
    })),
  });
const closing = (passed: number, failed: number, skipped: number): string =>
  `1: [doctest] test cases:  ${passed + failed} |  ${passed} passed | ${failed} failed | ${skipped} skipped\n` +
  '1: [doctest] assertions: 90 | 90 passed | 0 failed |\n';
const tally = (passed: number, failed: number, skipped: number) => ({ passed, failed, skipped });

test.each([
  ['a check that passed', 'check', 0, '', tally(1, 0, 0)],
  ['a check that failed', 'check', 2, '', tally(0, 1, 0)],
  [
    'vitest cases',
    'vitest',
    0,
    vitest(['passed', 'passed', 'skipped', 'todo'], ['passed', 'passed']),
    tally(2, 0, 2),
  ],
  ['failed vitest cases', 'vitest', 1, vitest(['failed', 'passed', 'failed', 'failed']), tally(1, 2, 0)],
  [
    'a test file that cannot be loaded',
    'vitest',
    1,
    vitest(['failed'], ['passed', 'passed']),
    tally(1, 1, 0),
  ],
  ['an error outside all cases', 'vitest', 1, vitest(['passed', 'passed']), tally(1, 1, 0)],
  ['no test files', 'vitest', 0, vitest(), tally(0, 1, 0)],
  ['only skipped cases', 'vitest', 0, vitest(['passed', 'skipped']), tally(0, 1, 1)],
  ['no vitest report', 'vitest', 0, undefined, tally(0, 1, 0)],
  ['a vitest report cut short', 'vitest', 0, '{"testResults": [', tally(0, 1, 0)],
  ['doctest cases', 'doctest', 0, closing(12, 0, 1), tally(12, 0, 1)],
  ['doctest cases of two programs', 'doctest', 8, closing(12, 0, 0) + closing(3, 2, 0), tally(15, 2, 0)],
  ['a doctest program that crashed', 'doctest', 8, 'Segmentation fault', tally(0, 1, 0)],
  ['one crash among doctest programs', 'doctest', 8, `${closing(5, 0, 0)}Segmentation fault`, tally(5, 1, 0)],
  ['a C++ build that failed', 'doctest', 1, 'error: expected ;', tally(0, 1, 0)],
])('counts %s', (_, kind, status, report, expected) => {
  expect(tallySuite(kind, status, report)).toEqual(expected);
});

test('refuses a kind it cannot read', () => {
  expect(() => tallySuite('jest', 0, '')).toThrow(
    'no suite of kind "jest"; there are check, vitest, doctest',
  );
});

test('closes with one line, skipped cases only when there are any', () => {
  expect(renderTally(tally(3, 0, 0))).toBe('3 passed, 0 failed');
  expect(renderTally(tally(3, 1, 2))).toBe('3 passed, 1 failed, 2 skipped');
});
