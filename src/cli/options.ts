import { InvalidArgumentError, Option } from 'commander';
import { distinctAscending } from '../lib/distinct-ascending.ts';

/** Parses a whole number of at least `least`. */
export const wholeNumber =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
      throw new InvalidArgumentError(`A whole number ${range} is expected.`);
    }
    return value;
  };

export const nonNegative = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError('A number from 0 is expected.');
  }
  return value;
};

export const positive = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value <= 0) {
    throw new InvalidArgumentError('A number above 0 is expected.');
  }
  return value;
};

/** "0-4,7": positions from 0, in rising order. */
export function positionList(text: string): number[] {
  const positions = text.split(',').flatMap((part) => {
    const [, from, to] = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part.trim()) ?? [];
    const [first, last] = [Number(from), Number(to ?? from)];
    if (from === undefined || last < first)
      throw new InvalidArgumentError('Expected are positions from 0 and ranges of them, like 0-4,7.');
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
  return distinctAscending(positions);
}

/** An option that takes positions. */
export const positionsOption = (description: string): Option =>
  new Option('--positions <list>', description).argParser(positionList);

/** What stands for positions that are not named: the first five, of a run that has so many. */
export const firstPositions = ({ positions }: { positions: number }): number[] =>
  Array.from({ length: Math.min(5, positions) }, (_, position) => position);

const mostBytes = 2 ** 52; // far beyond any machine, and exact in a number
const units: Record<string, number> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** "800M", "2GiB", "1073741824": bytes, units of 1,024. */
export function byteCount(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text) ?? [];
  const factor = units[(unit ?? '').toLowerCase()];
  const bytes = Math.floor(Number(number) * (factor ?? NaN));
  if (!(bytes >= 1 && bytes <= mostBytes)) {
    throw new InvalidArgumentError('A size is expected, like 800M or 2GiB.');
  }
  return bytes;
}

/** Where the store lies; the same option on every command that needs it. */
export const dataOption = (): Option =>
  new Option('--data <folder>', 'folder that holds the store')
    .env('DELTASCOPE_DATA')
    .default('deltascope-data');

export const jsonOption = (): Option => new Option('--json', 'print JSON instead of a table');

export const compatOption = (): Option =>
  new Option('--compat', 'round where the published implementation does');

export const threadsOption = (): Option =>
  new Option('--threads <n>', 'CPU threads (default: all)').argParser(wholeNumber(1, 4096));

export const layerOption = (): Option =>
  new Option('--layer <n>', 'decoder block, from 0, of those measured (default: the middle one)').argParser(
    wholeNumber(0),
  );
