import { z } from 'zod';
import { identityPrompts, type Model, patchscopeScales, type Token } from '../native/index.ts';
import {
  defineMethod,
  engineMode,
  type MethodContext,
  type Projection,
  type ReadingMode,
  type Sign,
  type Variant,
} from './define-method.ts';
import { chooseScale, echoesOf, type ScaleReading } from './patchscope-scale.ts';

const variants: readonly Variant[] = ['DIFF', 'BASE', 'FINETUNED'];
const signs: readonly Sign[] = ['PROMOTED', 'SUPPRESSED'];

/** Tokens of each list that the scale is chosen by. */
const chooseFrom = 20;

const parameters = z.object({
  /** Tokens kept of each list; never fewer than the choice of the scale looks at, which is the same whatever is kept. */
  top: z.int().min(chooseFrom).max(1000).default(chooseFrom),
  /** The 30 published ones; each is read with either sign. */
  scales: z
    .array(z.number().positive().max(1e6))
    .min(1)
    .max(1000)
    .refine((scales) => new Set(scales).size === scales.length, 'scales must differ')
    .default(() => [...patchscopeScales]),
  /** A token counts only if every prompt has it among its first that many. */
  intersection: z.int().min(1).default(16_384),
  mode: z.enum(['EXACT', 'COMPAT']).default('EXACT'),
});

/** What is kept when `shown` tokens are to be shown. */
export const keptOf = (shown: number | undefined): number => Math.max(chooseFrom, shown ?? chooseFrom);

export const patchscope = defineMethod({
  name: 'patchscope',
  version: 1,
  summary:
    'Puts a vector in the place of a word that a model is about to repeat, at many strengths, and reads the word.',
  parameters,

  async project(sets, context, { top, scales: given, intersection, mode }) {
    const scales = [...given].sort((a, b) => a - b);
    const out = sets.map((): Projection[] => []);
    const isEcho = echoesOf(identityPrompts);
    for (const { layer, norm, members } of byLayer(sets)) {
      const read = (model: Model, which: readonly Variant[]) =>
        readings(
          model,
          members.flatMap((i) => which.map((variant) => sets[i]?.[variant] as Float32Array)),
          {
            layer,
            norm,
            scales,
            top,
            intersection,
            mode,
            context,
          },
        );
      // As published: each mean by the model it is of, the difference by the finetuned one, all at the finetuned norm.
      const finetuned = await read(context.finetuned, ['DIFF', 'FINETUNED']);
      const base = await read(context.base, ['BASE']);
      members.forEach((member, m) => {
        const lists: Record<Variant, SignedLists | undefined> = {
          DIFF: finetuned[2 * m],
          FINETUNED: finetuned[2 * m + 1],
          BASE: base[m],
        };
        for (const variant of variants) {
          for (const sign of signs) {
            const own = lists[variant]?.[sign] ?? [];
            // The base's mean is what the others are read against; there is nothing to read it against.
            const baseline = variant === 'BASE' ? null : (lists.BASE?.[sign] ?? null);
            const choice = chooseScale(firstOf(own), baseline && firstOf(baseline), isEcho);
            own.forEach(({ scale, tokens }, s) =>
              out[member]?.push({
                variant,
                sign,
                scale,
                chosen: s === choice.index,
                score: choice.scores[s] ?? null,
                mode,
                tokens,
              }),
            );
          }
        }
      });
    }
    return out;
  },
});

const firstOf = (lists: readonly ScaleReading[]): ScaleReading[] =>
  lists.map(({ scale, tokens }) => ({ scale, tokens: tokens.slice(0, chooseFrom) }));

type SignedLists = Record<Sign, ScaleReading[]>;

/** Sets that are read together: those of one layer, whose norm they share. */
function byLayer(sets: readonly { layer: number; finetunedNorm: number }[]) {
  const groups = new Map<number, { layer: number; norm: number; members: number[] }>();
  sets.forEach(({ layer, finetunedNorm }, i) => {
    const group = groups.get(layer) ?? { layer, norm: finetunedNorm, members: [] };
    group.members.push(i);
    groups.set(layer, group);
  });
  return groups.values();
}

interface ReadOptions {
  layer: number;
  norm: number;
  scales: readonly number[];
  top: number;
  intersection: number;
  mode: ReadingMode;
  context: MethodContext;
}

/** Every vector at every scale, with either sign, in one call. @returns [vector] */
async function readings(
  model: Model,
  vectors: readonly Float32Array[],
  { layer, norm, scales, top, intersection, mode, context }: ReadOptions,
): Promise<SignedLists[]> {
  const { vocabSize } = model.spec;
  const lists = await model.patchscope(vectors, {
    layer,
    norm,
    scales: [...scales, ...scales.map((scale) => -scale)],
    k: Math.min(top, vocabSize),
    intersection: Math.min(intersection, vocabSize),
    // One tokenizer for both models, the base's, which also made the ids of the texts.
    prompts: identityPrompts.map((prompt) => context.base.tokenizer.encode(prompt)),
    mode: engineMode(mode),
    signal: context.signal,
    onProgress: context.onProgress,
  });
  const read = (tokens: Token[] | undefined, scale: number): ScaleReading => ({
    scale,
    tokens: (tokens ?? []).map(({ id, probability }) => ({
      tokenId: id,
      text: context.base.tokenizer.decode([id]),
      probability,
    })),
  });
  return lists.map((ofVector) => ({
    PROMOTED: scales.map((scale, s) => read(ofVector[s], scale)),
    SUPPRESSED: scales.map((scale, s) => read(ofVector[scales.length + s], scale)),
  }));
}
