import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ModelRow, NewModel, OrganismRow, Store, Visibility } from '../db/index.ts';
import { CodedError } from '../lib/coded-error.ts';
import { fileProblem } from '../lib/file-problem.ts';
import { Model, type ModelSpec, type OpenOptions, otherBaseWarning } from '../native/index.ts';
import { folderDigest } from './digest.ts';

export interface OrganismSource {
  name: string;
  /** Folder of the base checkpoint, and the name it goes by in the store. */
  base: string;
  baseName: string;
  /** Folder of the finetune: a LoRA adapter on the base, or a full checkpoint. */
  path: string;
  form: 'LORA' | 'FULL';
  /** What kind of finetune: SDF, EM, TABOO, … */
  kind: string;
  description: string;
  groundTruth?: string | undefined;
  trainingCorpus?: string | undefined;
  mixRatio?: number | undefined;
  /** Who sees it once it is registered: see NewOrganism. */
  visibility?: Visibility | undefined;
}

export interface Pair {
  base: Model;
  finetuned: Model;
}

/** Opens an organism's two models for some work, and closes them after. */
export async function withPair<T>(
  { base: folder, path, form }: Pick<OrganismSource, 'base' | 'path' | 'form'>,
  options: Pick<OpenOptions, 'threads' | 'dtype' | 'signal'>,
  work: (pair: Pair) => Promise<T>,
): Promise<T> {
  const base = await Model.open(folder, options);
  try {
    const finetuned = await (form === 'LORA'
      ? Model.open(folder, { ...options, adapter: path })
      : Model.open(path, options));
    try {
      return await work({ base, finetuned });
    } finally {
      finetuned.close();
    }
  } finally {
    base.close();
  }
}

/**
 * Checks an organism by opening both its models, and puts it and its base into the store: both, or neither. `onWarning` is told what
 * looks like a mistake and is none for sure.
 * @throws NativeError when a model does not open; CodedError CONFLICT when a name stands for something else
 */
export async function addOrganism(
  store: Store,
  source: OrganismSource,
  options: { update?: boolean; signal?: AbortSignal | undefined; onWarning?: (warning: string) => void } = {},
): Promise<OrganismRow> {
  checkName('an organism', source.name);
  checkName('a base model', source.baseName);
  const { trainingCorpus } = source;
  if (trainingCorpus !== undefined) checkFile(trainingCorpus);
  const { spec, warning } = await withPair(
    source,
    { signal: options.signal },
    async ({ base, finetuned }) => ({
      spec: base.spec,
      warning: otherBaseWarning(finetuned),
    }),
  );
  const [baseDigest, digest] = [
    await folderDigest(source.base, options.signal),
    await folderDigest(source.path, options.signal),
  ];
  const update = { update: options.update ?? false };
  const row = store.transaction(() => {
    refuseOtherFiles(store, source, { base: baseDigest, organism: digest });
    const model = store.models.add(modelOf(source.baseName, source.base, baseDigest, spec), update);
    return store.organisms.add(
      {
        name: source.name,
        baseModelId: model.id,
        path: resolve(source.path),
        form: source.form,
        kind: source.kind,
        description: source.description,
        groundTruth: source.groundTruth ?? null,
        trainingCorpus: trainingCorpus === undefined ? null : resolve(trainingCorpus),
        mixRatio: source.mixRatio ?? null,
        digest,
        visibility: source.visibility,
      },
      update,
    );
  });
  if (warning !== undefined) options.onWarning?.(warning);
  return row;
}

/**
 * Checks a base checkpoint by opening it, and registers it.
 * @throws NativeError when it does not open; CodedError CONFLICT when the name stands for other files
 */
export async function addModel(
  store: Store,
  { name, path, visibility }: { name: string; path: string; visibility?: Visibility | undefined },
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<ModelRow> {
  checkName('a base model', name);
  const model = await Model.open(path, { signal });
  const { spec } = model;
  model.close();
  const digest = await folderDigest(path, signal);
  return store.models.add({ ...modelOf(name, path, digest, spec), visibility });
}

/** A base checkpoint as the store has it. */
const modelOf = (name: string, path: string, digest: string, spec: ModelSpec): NewModel => ({
  name,
  path: resolve(path),
  digest,
  architecture: spec.architecture,
  layers: spec.layers,
  dModel: spec.dModel,
  vocabSize: spec.vocabSize,
  parameters: spec.parameters,
  dtype: spec.dtype,
  tiedHead: spec.tiedHead,
});

const longestName = 200;

function checkName(noun: string, name: string): void {
  const length = [...name].length;
  if (length >= 1 && length <= longestName && !/\p{Cc}/u.test(name)) return;
  const found = length > longestName ? `one of ${length} characters` : JSON.stringify(name);
  throw new CodedError(
    'INVALID_ARGUMENT',
    `the name of ${noun} has 1 to ${longestName} characters and no control characters; given is ${found}`,
  );
}

function checkFile(path: string): void {
  let problem: string | undefined;
  try {
    if (!statSync(path).isFile()) problem = 'is not a file';
  } catch (error) {
    problem = fileProblem(error);
  }
  if (problem !== undefined)
    throw new CodedError('FILE_NOT_FOUND', `the training corpus ${path}: ${problem}`);
}

/** What has been measured keeps its identity: files may be exchanged under a name only while no result depends on them. */
function refuseOtherFiles(
  store: Store,
  { name, baseName }: OrganismSource,
  digests: { base: string; organism: string },
): void {
  const organism = store.organisms.find(name);
  const measured = organism !== undefined && store.runs.latestOfOrganism(organism) !== undefined;
  if (measured) {
    const { digest } = store.models.getById(organism.baseModelId);
    const noun =
      organism.digest !== digests.organism
        ? `organism "${name}"`
        : digest !== digests.base && `the base of organism "${name}"`;
    if (noun) {
      throw new CodedError(
        'CONFLICT',
        `${noun} has other files now, and its runs are of the files registered before; register these under another name`,
      );
    }
  }
  const model = store.models.find(baseName);
  if (model && model.digest !== digests.base && hasDependents(store, model, name)) {
    throw new CodedError(
      'CONFLICT',
      `base model "${baseName}" has other files now, and organisms or runs rely on the files registered before; register these under another name (--base-name)`,
    );
  }
}

const hasDependents = (store: Store, base: ModelRow, apartFrom: string): boolean =>
  store.runs.existOfBaseModel(base) ||
  store.organisms.ofBaseModel.page(base, {}, { first: 2 }).rows.some(({ name }) => name !== apartFrom);
