import { InvalidArgumentError, Option } from 'commander';

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
