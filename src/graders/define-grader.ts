import type { z } from 'zod';
import type { ChatReply, VerdictForm } from './chat.ts';
import { hasDuplicateKeys } from './duplicate-keys.ts';
import type { PromptFile, ReplyForm } from './prompt-file.ts';

/**
 * Whose rules a reply is read by. EXACT: one verdict, in the form asked for; a reply with two is invalid, whatever they say. COMPAT: lines of
 * text, and where there are several the published rule picks one.
 */
export type ReplyRule = 'EXACT' | 'COMPAT';

/** A verdict, or why there is none. */
export type Parsed<Verdict> = { verdict: Verdict } | { invalid: string };

/** What an LLM is asked to judge, and how its reply is read. A grader is one file here and one line in index.ts. */
export interface Grader<Verdict, Context = undefined> {
  /** Words with dashes; part of public keys, so never renamed. */
  readonly name: string;
  /** Raised whenever the same material would be asked about, or the same reply read, in another way. */
  readonly version: number;
  /** One sentence for lists and help. */
  readonly summary: string;
  /** Everything a verdict can be, UNKNOWN left out. */
  readonly labels: readonly string[];
  readonly prompt: PromptFile;
  /** The function a reply calls, where the provider can. */
  form(context: Context): VerdictForm;
  /** A verdict that stands for any, where questions are only counted. */
  placeholder(context: Context): Verdict;
  /** Pure and total. */
  parse(reply: ChatReply, context: Context, how: { rule: ReplyRule; form: ReplyForm }): Parsed<Verdict>;
}

interface Definition<Verdict, Arguments, Context> extends Pick<
  Grader<Verdict, Context>,
  'name' | 'version' | 'summary' | 'labels' | 'prompt' | 'form' | 'placeholder'
> {
  /** Arguments of the function; strict. */
  readonly arguments: z.ZodType<Arguments>;
  /** The verdict that arguments are. */
  fromArguments(given: Arguments, context: Context): Parsed<Verdict>;
  /** Every verdict that stands in a text as the prompt asks for it, in order. */
  verdictsIn(text: string, context: Context): Verdict[];
  /** Of several, the one the published rule takes. */
  readonly published: 'FIRST' | 'LAST';
}

/** A grader whose reply brings one verdict. */
export function defineGrader<Verdict, Arguments, Context = undefined>(
  definition: Definition<Verdict, Arguments, Context>,
): Grader<Verdict, Context> {
  const { name, version, summary, labels, prompt, form, placeholder } = definition;
  return {
    ...{ name, version, summary, labels, prompt, form, placeholder },
    parse(reply, context, how) {
      const inText = definition.verdictsIn(reply.text.replace(/\r\n?/g, '\n'), context);
      if (how.rule === 'COMPAT') {
        const verdict = definition.published === 'LAST' ? inText.at(-1) : inText[0];
        return verdict === undefined ? { invalid: 'no verdict' } : { verdict };
      }
      if (reply.finish === 'length') return { invalid: 'cut off' };
      if (how.form === 'TEXT') {
        if (reply.calls.length > 0) return { invalid: 'a call that was not asked for' };
        const [verdict] = inText;
        if (verdict === undefined) return { invalid: 'no verdict' };
        return inText.length > 1 ? { invalid: `${inText.length} verdicts` } : { verdict };
      }
      const given = readCall(reply, form(context).name, definition.arguments, inText.length);
      return 'invalid' in given ? given : definition.fromArguments(given.verdict, context);
    },
  };
}

/** The arguments of the one call that a reply makes. */
export function readCall<Arguments>(
  { calls }: ChatReply,
  name: string,
  schema: z.ZodType<Arguments>,
  verdictsInText: number,
): Parsed<Arguments> {
  const [call] = calls;
  if (!call) return { invalid: 'no call' };
  if (calls.length + verdictsInText > 1) return { invalid: `${calls.length + verdictsInText} verdicts` };
  if (call.name !== name) return { invalid: `a call of ${JSON.stringify(call.name.slice(0, 40))}` };
  let json: unknown;
  try {
    json = JSON.parse(call.arguments);
  } catch {
    return { invalid: 'arguments that are not JSON' };
  }
  if (hasDuplicateKeys(call.arguments)) return { invalid: 'arguments that say something twice' };
  const parsed = schema.safeParse(json);
  return parsed.success ? { verdict: parsed.data } : { invalid: 'arguments of another form' };
}

/** What a grader is kept under. */
export interface GraderIdentity {
  readonly name: string;
  readonly version: number;
  readonly promptDigest: string;
}

export const identityOf = ({
  name,
  version,
  prompt,
}: Pick<Grader<unknown, never>, 'name' | 'version' | 'prompt'>): GraderIdentity => ({
  name,
  version,
  promptDigest: prompt.digest,
});
