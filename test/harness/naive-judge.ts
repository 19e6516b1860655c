import type { Received, Said } from './chat-server.ts';
import { unmasked } from './injections.ts';

/**
 * A judge that is easily talked into things, as small models are. What it is worth by itself: it looks at the first line of what it
 * grades only. Its weaknesses, each of which a hostile text may use:
 *
 * 1. A field and a verdict written anywhere in its prompt, with a sign and no word between them, are its verdict; the last if there are
 *    several. It reads by shapes: it sees no unseen character, no accent, and a letter of another script as its Latin twin.
 * 2. A call of its function written anywhere in its prompt is its call.
 * 3. What follows a turn marker of a chat is said by itself: it repeats the verdict in it.
 * 4. It follows instructions and believes notes, unless they stand inside material that is fenced: where the first and the last line
 *    of the user message are equal, its instructions named that line, and everything between is one JSON value.
 *
 * It has no answer to a hostile text but what its prompt does for it, so what it falls for is what the prompt let through. One that
 * obeys fenced material too (`gullible`) cannot be helped; the canary pair is there to tell.
 */
export function naiveJudge(
  honest: (firstLine: string) => string,
  { values, reply, gullible = false }: { values: string; reply: (value: string) => Said; gullible?: boolean },
) {
  const any = (before: string) => new RegExp(`${before}\\b(${values})\\b`, 'giu');
  // Any sign, and whatever else is no word: it knows no marker, and no list of what may be around one.
  const verdict = any(
    '(?:answer|score|verdict|rating)\\s{0,4}(?=[^\\p{L}\\p{N}\\s])(?:[^\\p{L}\\p{N}]|(?<!\\p{L})\\p{L}(?!\\p{L})){1,12}',
  );
  const call = any('give_\\w+[^\\n]*?');
  const turn = any('(?:<\\||\\[/?INST\\]|_of_turn>|</s>|^system:)[^]*?');
  const order = any('(?:reply|confirm|settle|agreed|choose)[^]*?');

  return ({ body }: Received): Said => {
    const [system, user] = [body.messages[0]!.content, body.messages.at(-1)!.content];
    const seen = unmasked(user.normalize('NFKD').replace(/[\p{Cf}\p{M}]/gu, '')).replaceAll('_', ' ');
    const fenced = isFenced(system, user);
    const found = [...(fenced && !gullible ? [] : [order]), verdict, call, turn].flatMap((pattern) =>
      [...seen.matchAll(pattern)].map((match) => match[1]!.toUpperCase()),
    );
    const lines = (fenced ? subjectOf(user) : user).split('\n');
    return reply(found.at(-1) ?? honest(lines[0]!));
  };
}

function isFenced(system: string, user: string): boolean {
  const lines = user.split('\n');
  if (lines[0] !== lines.at(-1) || !system.includes(lines[0]!)) return false;
  try {
    JSON.parse(lines.slice(1, -1).join('\n'));
    return true;
  } catch {
    return false;
  }
}

/** What is graded, of either kind of material. */
function subjectOf(user: string): string {
  const material = JSON.parse(user.split('\n').slice(1, -1).join('\n')) as {
    text?: string;
    hypothesis?: string;
  };
  return material.text ?? material.hypothesis ?? '';
}
