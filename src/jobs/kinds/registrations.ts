import { z } from 'zod';
import { visibilities } from '../../db/index.ts';
import { type RegisteredRoots, RootError } from '../../runs/roots.ts';
import { defineKind, JobInputError } from './define-kind.ts';

const name = z
  .string()
  .min(1)
  .max(200)
  .regex(/^\P{Cc}*$/u, 'a name has no control characters');
/** A place under a folder that the server was started with. */
export const placeSpec = z.strictObject({ root: z.string().max(200), path: z.string().max(4096) });

/** Of what is registered; left out, its team sees what a token makes, and nobody else what the owner does. */
const visibility = z.enum(visibilities).optional();

/** Says which files lie there, so that others are another job. @throws JobInputError */
function filesAt(
  roots: RegisteredRoots,
  kind: 'folder' | 'file',
  place: z.output<typeof placeSpec>,
  field = 'place',
): string {
  try {
    return roots.fingerprint(place, kind);
  } catch (error) {
    if (!(error instanceof RootError)) throw error;
    throw new JobInputError('INVALID', [field, error.what], error.message);
  }
}

/** Opens a base checkpoint and registers it. */
export const modelKind = defineKind({
  name: 'model',
  version: 1,
  spec: z.strictObject({ name, place: placeSpec, visibility }),
  prepare(_, { place }, roots) {
    return { organismId: null, decisive: { files: filesAt(roots, 'folder', place) } };
  },
  async run({ store, roots, guard, options: { signal, onPhase } }, { name, place, visibility }) {
    const { addModel } = await import('../../runs/organism.ts');
    const path = roots.resolve(place, 'folder');
    guard(() => roots.demandSame(place, 'folder', path));
    onPhase?.('digest');
    const model = await addModel(store, { name, path, visibility }, { signal });
    return { baseModel: model.name, warnings: [] };
  },
});

/** Opens a finetune with its base and registers it. */
export const organismKind = defineKind({
  name: 'organism',
  version: 1,
  spec: z.strictObject({
    name,
    baseModel: name,
    place: placeSpec,
    form: z.enum(['LORA', 'FULL']),
    kind: z.string().min(1).max(50).default('OTHER'),
    description: z.string().max(10_000).default(''),
    groundTruth: z.string().max(100_000).optional(),
    trainingCorpus: placeSpec.optional(),
    mixRatio: z.number().min(0).max(1e9).optional(),
    visibility,
  }),
  prepare(store, { name, baseModel, place, trainingCorpus }, roots) {
    const base = store.models.find(baseModel);
    if (!base)
      throw new JobInputError('NOT_FOUND', ['baseModel'], `There is no base model "${baseModel}" here.`);
    return {
      organismId: store.organisms.find(name)?.id ?? null,
      decisive: {
        baseDigest: base.digest,
        files: filesAt(roots, 'folder', place),
        trainingCorpus: trainingCorpus ? filesAt(roots, 'file', trainingCorpus, 'trainingCorpus') : null,
      },
    };
  },
  async run({ store, roots, guard, options: { signal, onPhase } }, spec) {
    const { addOrganism } = await import('../../runs/organism.ts');
    const { place, trainingCorpus, baseModel, groundTruth, mixRatio, ...facts } = spec;
    const base = store.models.get(baseModel);
    const path = roots.resolve(place, 'folder');
    const training = trainingCorpus && roots.resolve(trainingCorpus, 'file');
    guard(() => {
      roots.demandSame(place, 'folder', path);
      if (trainingCorpus && training !== undefined) roots.demandSame(trainingCorpus, 'file', training);
    });
    const warnings: string[] = [];
    onPhase?.('digest');
    const organism = await addOrganism(
      store,
      {
        ...facts,
        path,
        base: base.path,
        baseName: base.name,
        groundTruth,
        mixRatio,
        trainingCorpus: training,
      },
      { signal, onWarning: (warning) => warnings.push(warning) },
    );
    return { organism: organism.name, baseModel: base.name, warnings };
  },
});

/** Reads a corpus through and registers it. */
export const corpusKind = defineKind({
  name: 'corpus',
  version: 1,
  spec: z.strictObject({
    name,
    place: placeSpec,
    textColumn: z.string().min(1).max(200).default('text'),
    visibility,
  }),
  prepare(_, { place }, roots) {
    return { organismId: null, decisive: { files: filesAt(roots, 'file', place) } };
  },
  async run({ store, roots, guard, options: { signal, onPhase } }, { name, place, textColumn, visibility }) {
    const { addCorpus } = await import('../../runs/corpus.ts');
    const path = roots.resolve(place, 'file');
    guard(() => roots.demandSame(place, 'file', path));
    onPhase?.('digest');
    const corpus = await addCorpus(store, { name, path, textColumn, visibility }, signal);
    return { corpus: corpus.name, warnings: [] };
  },
});
