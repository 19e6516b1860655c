import { unseen } from '../lib/plain.ts';

export { plain } from '../lib/plain.ts';

/** JSON that says the same and is as safe to look at. */
export const plainJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, null, indent).replace(unseen, (c) => (c === '\n' ? c : escapeUnits(c)));

const escapeUnits = (character: string): string =>
  Array.from(
    { length: character.length },
    (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`,
  ).join('');
