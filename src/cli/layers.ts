import { InvalidArgumentError } from 'commander';
import { distinctAscending } from '../lib/distinct-ascending.ts';
import { layerAtDepth } from '../lib/layer-at-depth.ts';

/** Decoder blocks asked for, once the model's number of them is known. */
export type LayerChoice = (count: number) => number[];

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
    return (count) => layerAtDepth(Number(percent) / 100, count);
  });
  return (count) => distinctAscending(choices.map((choose) => choose(count)));
}
