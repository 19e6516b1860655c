import { expect, test } from 'vitest';
import { flatten, wholeNumbers } from '../../src/native/tokens.ts';

// What they refuse is tested through the façade (test/facade/arguments.test.ts).

test('flatten puts texts one after another and says where each begins', () => {
  expect(flatten([[1, 2], [], Uint8Array.of(3), [2 ** 31 - 1]])).toEqual({
    ids: Int32Array.of(1, 2, 3, 2 ** 31 - 1),
    offsets: Float64Array.of(0, 2, 2, 3, 4),
  });
  expect(flatten([])).toEqual({ ids: new Int32Array(0), offsets: Float64Array.of(0) });
});

test('wholeNumbers takes what a number holds exactly', () => {
  expect(wholeNumbers('layers', [3, 0, 2 ** 53 - 1])).toEqual(Float64Array.of(3, 0, 2 ** 53 - 1));
});
