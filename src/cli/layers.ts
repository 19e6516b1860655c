import { InvalidArgumentError } from 'commander';

/** Decoder blocks asked for, once the model's number of them is known. */
export type LayerChoice = (count: number) => number[];

/** Relative depth r of L blocks is trunc(r · (L − 1)), as the published method has it. */
const atDepth = (relative: number, count: number): number => Math.trunc(relative * (count - 1));

/**
 * "middle", "all", or a list of 0-based blocks and depths in percent: "0,7,50%,100%". Which blocks exist is checked by the engine,
 * which knows the model.
 */
export function layerChoice(text: string): LayerChoice {
  if (text === 'all') return (count) => Array.from({ length: count }, (_, layer) => layer);
  const parts = (text === 'middle' ? '50%' : text).split(',').map((part) => part.trim());
  const choices = parts.map((part): ((count: number) => number) => {
    if (/^\d+$/.test(part)) return () => Number(part);
    const percent = /^(\d+(?:\.\d+)?)%$/.exec(part)?.[1];
    if (percent === undefined || Number(percent) > 100) {
      throw new InvalidArgumentError(
        'Expected are "middle", "all", or a list of block numbers from 0 and depths in percent, like 0,7,50%.',
      );
    }
    return (count) => atDepth(Number(percent) / 100, count);
  });
  return (count) => [...new Set(choices.map((choose) => choose(count)))].sort((a, b) => a - b);
}
