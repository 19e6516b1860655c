import { InvalidArgumentError } from 'commander';
import { describe, expect, test } from 'vitest';
import { layerChoice } from '../../src/cli/layers.ts';

describe('layerChoice', () => {
  test.each<[string, number, number[]]>([
    ['middle', 8, [3]],
    ['middle', 28, [13]],
    ['middle', 1, [0]],
    ['all', 3, [0, 1, 2]],
    ['0', 8, [0]],
    ['7,0,3', 8, [0, 3, 7]],
    ['3,3,50%', 8, [3]],
    ['0%,100%', 8, [0, 7]],
    ['25%, 50% ,75%', 28, [6, 13, 20]],
    ['99.9%', 28, [26]],
    ['8', 8, [8]], // the engine says what the model has
  ])('%s of %i blocks', (text, count, layers) => {
    expect(layerChoice(text)(count)).toEqual(layers);
  });

  test.each(['', ',', '1,', '-1', '1.5', '0x1', '1e0', '101%', '-5%', '%', 'Middle', 'last', 'all,1', '٣'])(
    'refuses "%s"',
    (text) => {
      expect(() => layerChoice(text)).toThrow(InvalidArgumentError);
    },
  );
});
