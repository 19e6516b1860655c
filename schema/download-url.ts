import { builder, type GraphContext } from './builder.ts';
import { badUserInput } from './errors.ts';
import { defaultUrlSeconds, maxUrlSeconds } from './limits.ts';

export const urlArguments = builder.args((t) => ({
  expiresIn: t.int({
    required: true,
    defaultValue: defaultUrlSeconds,
    description: `For how many seconds the URL opens without a token, 1 to ${maxUrlSeconds}, else an error. Of no effect on a server without tokens: its URLs do not expire.`,
  }),
}));

/** Where this path, with its query, can be fetched. @throws BAD_USER_INPUT */
export function downloadUrl(
  { origin, signUrl }: GraphContext,
  path: string,
  query: string,
  expiresIn: number,
): string {
  if (expiresIn < 1 || expiresIn > maxUrlSeconds)
    throw badUserInput(`expiresIn must be 1 to ${maxUrlSeconds} seconds, not ${expiresIn}.`);
  const signature = signUrl ? `&${signUrl(path, expiresIn)}` : '';
  return `${origin}${path}?${query}${signature}`;
}
