import { type CoherenceLabel, coherence } from './coherence.ts';
import type { Question, Runner } from './runner.ts';
import { sealed } from './untrusted.ts';

type Verdict = CoherenceLabel | 'UNKNOWN';

/** What guarding a judge does to texts that mean no harm. */
export interface Drift {
  /** Texts that were asked about: blank ones are not. */
  texts: number;
  /** Texts from which cleaning took something, and how many somethings. */
  cleaned: number;
  removed: number;
  /** Texts with a verdict both ways. */
  judged: number;
  /** Of these, how many were judged otherwise, and into which verdict. */
  moved: number;
  toCoherent: number;
  toIncoherent: number;
  /** Mean change of the verdict, guarded less bare, with COHERENT as 1 and INCOHERENT as 0: −1..1. Null where nothing was judged. */
  shift: number | null;
  /** Texts without a usable verdict, guarded and bare. */
  unknown: { guarded: number; bare: number };
  /** The texts that moved, in their order. */
  movers: { text: string; guarded: Verdict; bare: Verdict }[];
  /** Texts of which the judge said otherwise when it was asked again, bare; null for one that is deterministic. */
  unsteady: number | null;
}

const maxTokens = 1000;
const place = (verdict: Verdict): number => (verdict === 'COHERENT' ? 1 : 0);

/**
 * Has benign texts judged twice by the same prompt: guarded (cleaned, as JSON, between two lines that nobody could foresee), as all
 * graders here send texts, and bare, as they stand. A difference is the price of the guard, and of the judge's own unsteadiness where
 * it is not deterministic: the bare question is asked twice then as well, and `unsteady` counts how many of these differ.
 * @throws what Runner.ask throws
 */
export async function measureDrift(
  runner: Runner,
  texts: readonly string[],
  signal?: AbortSignal,
): Promise<Drift> {
  const asked = texts.filter((text) => text.trim() !== '');
  const judge = async (
    material: Question<unknown, undefined>['material'],
    sample: Record<string, string | number>,
  ): Promise<Verdict> => {
    const { parsed } = await runner.grade(
      { grader: coherence, context: undefined, material, maxTokens, temperature: 0, sample },
      signal,
    );
    return 'verdict' in parsed ? parsed.verdict : 'UNKNOWN';
  };
  const bare = (text: string, repeat: number) =>
    judge({ message: () => text, removed: 0 }, { drift: 'bare', repeat });
  const both = await Promise.all(
    asked.map(async (text) => {
      const material = sealed({ text });
      const [guarded, plain, again] = await Promise.all([
        judge(material, { drift: 'guarded' }),
        bare(text, 0),
        runner.provider.deterministic ? undefined : bare(text, 1),
      ]);
      return { text, removed: material.removed, guarded, bare: plain, again };
    }),
  );
  const judged = both.filter((one) => one.guarded !== 'UNKNOWN' && one.bare !== 'UNKNOWN');
  const movers = judged.filter((one) => one.guarded !== one.bare);
  const change = judged.reduce((sum, one) => sum + place(one.guarded) - place(one.bare), 0);
  return {
    texts: asked.length,
    cleaned: both.filter(({ removed }) => removed > 0).length,
    removed: both.reduce((sum, { removed }) => sum + removed, 0),
    judged: judged.length,
    moved: movers.length,
    toCoherent: movers.filter(({ guarded }) => guarded === 'COHERENT').length,
    toIncoherent: movers.filter(({ guarded }) => guarded === 'INCOHERENT').length,
    shift: judged.length === 0 ? null : change / judged.length,
    unknown: {
      guarded: both.filter(({ guarded }) => guarded === 'UNKNOWN').length,
      bare: both.filter((one) => one.bare === 'UNKNOWN').length,
    },
    movers: movers.map(({ text, guarded, bare: plain }) => ({ text, guarded, bare: plain })),
    unsteady: runner.provider.deterministic
      ? null
      : both.filter(({ bare: plain, again }) => plain !== again).length,
  };
}
