import { canonicalJson, type JsonValue } from '../lib/canonical-json.ts';
import { InvalidResultError } from './errors.ts';
import { methodPattern } from './keys.ts';

/** A divergence is 0 or more; the sum that gives it may fall this far below by rounding. */
export const leastDivergence = -1e-9;

/** Refuses what no constraint of a table can see, each in one line that names the place, what was found and what is right. */
export function checks(place: string) {
  const refuse = (message: string): never => {
    throw new InvalidResultError(`${place}: ${message}`);
  };
  const show = (value: unknown): string =>
    typeof value === 'string' ? JSON.stringify(value) : String(value as number);
  const number = (name: string, value: number, least = -Infinity, most = Infinity): void => {
    if (Number.isFinite(value) && value >= least && value <= most) return;
    const range =
      least === -Infinity ? '' : most === Infinity ? ` from ${least}` : ` from ${least} to ${most}`;
    refuse(`${name} is ${show(value)}, a finite number${range} is expected`);
  };
  const whole = (name: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): void => {
    if (Number.isSafeInteger(value) && value >= least && value <= most) return;
    const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
    refuse(`${name} is ${show(value)}, a whole number ${range} is expected`);
  };
  return {
    refuse,
    number,
    whole,
    orNull: (value: number | null, check: (value: number) => void): void => {
      if (value !== null) check(value);
    },
    oneOf: (name: string, value: string, known: readonly string[]): void => {
      if (!known.includes(value)) refuse(`${name} is ${show(value)}, one of ${known.join(', ')} is expected`);
    },
    name: (name: string, value: string): void => {
      if (!methodPattern.test(value)) refuse(`${name} ${show(value)} is not of the form words-with-dashes`);
    },
    filled: (name: string, value: string): void => {
      if (value.trim() === '') refuse(`${name} is empty`);
    },
    json: (name: string, value: JsonValue): void => {
      try {
        canonicalJson(value);
      } catch (error) {
        refuse(`${name}: ${(error as Error).message}`);
      }
    },
  };
}
