import { type AdaptedModule, readCertificate, type RunCertificate, type RunRow } from '../src/db/index.ts';
import { arrayListing } from './array-listing.ts';
import { builder } from './builder.ts';
import { connection, connectionType } from './connection.ts';
import { costs } from './cost.ts';
import { AdapterKindEnum } from './enums.ts';

/** What a run's certificate is made of; the run's own columns hold the digests. */
type CertificateRow = RunCertificate & { run: RunRow };
type AdapterRow = NonNullable<RunCertificate['adapter']> & { key: string };
type AdaptedModuleRow = AdaptedModule & { index: number };

export const certificateOf = (run: RunRow): CertificateRow => ({ ...readCertificate(run.certificate), run });

const AdaptedModuleRef = builder.objectRef<AdaptedModuleRow>('AdaptedModule').implement({
  description: 'A module of the base that an adapter changes.',
  fields: (t) => ({
    module: t.exposeString('module', {
      description: 'Its name below the decoder, such as layers.3.self_attn.q_proj.',
    }),
    changeNorm: t.exposeFloat('changeNorm', {
      nullable: true,
      description:
        'Frobenius norm of the change of its weight, scale · B A or new − old, in units of weight, 0 or more. Null when not finite.',
    }),
    replaced: t.exposeBoolean('replaced', {
      description:
        'Whether its weight is another one as a whole (modules_to_save) instead of an updated one.',
    }),
  }),
});
const AdaptedModuleConnection = connectionType('AdaptedModule', AdaptedModuleRef);

const adaptedModules = arrayListing('adapter.modules', ({ modules }: AdapterRow): AdaptedModuleRow[] =>
  modules.map((module, index) => ({ ...module, index })),
);

const AdapterCanaryRef = builder.objectRef<NonNullable<AdapterRow['canary']>>('AdapterCanary').implement({
  description:
    'The proof that an adapter is alive: a few tokens, pushed through the model with and without it.',
  fields: (t) => ({
    movedAt: t.exposeString('movedAt', {
      description:
        'The first place looked at where the two differ: embedding, layer <n> (the output of that decoder block) or head.',
    }),
    relativeChange: t.exposeFloat('relativeChange', {
      nullable: true,
      description:
        'How much they differ there, ‖with − without‖ / ‖without‖ over all the tokens: no unit, above 0. Null when not finite.',
    }),
  }),
});

const changeNorms = ({ modules }: AdapterRow): number[] =>
  modules.flatMap(({ changeNorm }) => (changeNorm === null ? [] : [changeNorm]));

/** Of a list of any length; null for an empty one. */
const reduced = (numbers: number[], choose: (a: number, b: number) => number): number | null =>
  numbers.length === 0 ? null : numbers.reduce((a, b) => choose(a, b));

const AdapterCheckRef = builder.objectRef<AdapterRow>('AdapterCheck').implement({
  description: 'What an adapter changes of its base.',
  fields: (t) => ({
    kind: t.expose('kind', { type: AdapterKindEnum, description: 'What sort of adapter.' }),
    parameters: t.expose('parameters', { type: 'BigInt', description: 'Number of weights in its file.' }),
    baseName: t.exposeString('baseName', {
      nullable: true,
      description:
        'The base it says it was trained on, a path or a repository, not checked. Null when it names none.',
    }),
    largestChangeNorm: t.float({
      nullable: true,
      description: 'The largest changeNorm of its modules. Null when none is finite.',
      resolve: (adapter) => reduced(changeNorms(adapter), Math.max),
    }),
    smallestChangeNorm: t.float({
      nullable: true,
      description:
        'The smallest changeNorm of its modules; 0: a module is named and left as it was. Null when none is finite.',
      resolve: (adapter) => reduced(changeNorms(adapter), Math.min),
    }),
    foreignTensors: t.exposeInt('foreignTensors', {
      nullable: true,
      description:
        'Tensors of its file that belong to other parts of a larger model, such as a vision tower, and were passed over. Null when not counted, as in older runs.',
    }),
    canary: t.field({
      type: AdapterCanaryRef,
      nullable: true,
      description: 'Where a few tokens showed that it is alive. Null when not tried, as in older runs.',
      resolve: ({ canary }) => canary,
    }),
    modules: t.connection(
      {
        type: AdaptedModuleRef,
        description: 'The modules that it changes, by layer.',
        resolve: (adapter, args, context) => connection(context, adaptedModules, adapter, args),
      },
      AdaptedModuleConnection,
    ),
  }),
});

const TokenizerCheckRef = builder
  .objectRef<NonNullable<RunCertificate['tokenizer']>>('TokenizerCheck')
  .implement({
    description:
      'The tokenizer that made the ids and texts of the run, the base’s, beside the one that the finetune brings along.',
    fields: (t) => ({
      digest: t.exposeString('digest', {
        description: 'SHA-256 of the tokenizer used, its tokenizer.json and tokenizer_config.json, in hex.',
      }),
      finetunedDigest: t.exposeString('finetunedDigest', {
        nullable: true,
        description: 'The same of the finetune’s own. Null when it brings none that can be read.',
      }),
      equal: t.exposeBoolean('equal', {
        nullable: true,
        description:
          'Whether both make the same ids of every text, however their files are written; warnings say what differs. A chat template makes no difference. True when the finetune brings none, null when its own cannot be read.',
      }),
      vocabularyEqual: t.exposeBoolean('vocabularyEqual', {
        nullable: true,
        description:
          'Whether both give the same tokens, added ones included, the same ids. True when the finetune brings none, null when its own cannot be read.',
      }),
    }),
  });

const VocabularySizesRef = builder.objectRef<RunCertificate['vocabularySizes']>('VocabularySizes').implement({
  description: 'Rows of the embeddings of both models.',
  fields: (t) => ({
    base: t.exposeInt('base', { description: 'Of the base.' }),
    finetuned: t.exposeInt('finetuned', { description: 'Of the finetune.' }),
  }),
});

const NotFiniteCountsRef = builder.objectRef<RunCertificate['notFinite']>('NotFiniteCounts').implement({
  description: 'Numbers that were NaN or infinite, where none should be.',
  fields: (t) => ({
    activations: t.expose('activations', {
      type: 'BigInt',
      description: 'Of both models, at the measured places; values beyond ±2^37 count as well.',
    }),
    baseWeights: t.expose('baseWeights', {
      type: 'BigInt',
      nullable: true,
      description:
        'Among the base’s weights that were read, up to the last measured layer. Null when not counted, as in older runs.',
    }),
    finetunedWeights: t.expose('finetunedWeights', {
      type: 'BigInt',
      nullable: true,
      description: 'The same of the finetune. Null when not counted, as in older runs.',
    }),
  }),
});

const SelectionCountsRef = builder.objectRef<RunCertificate['selection']>('SelectionCounts').implement({
  description: 'How the texts were taken from the corpus: its first rows that are long enough.',
  fields: (t) => ({
    rowsRead: t.exposeInt('rowsRead', { description: 'Rows looked at, up to the last one used.' }),
    skippedEmpty: t.exposeInt('skippedEmpty', { description: 'Rows among them without a text.' }),
    skippedShort: t.exposeInt('skippedShort', {
      description: 'Rows among them whose text has fewer tokens than positions are measured.',
    }),
  }),
});

const UnknownConfigKeysRef = builder
  .objectRef<RunCertificate['unknownConfigKeys']>('UnknownConfigKeys')
  .implement({
    description:
      'Keys of config.json that the engine does not know; those known to change the numbers are refused.',
    fields: (t) => ({
      base: t.exposeStringList('base', {
        ...costs({ assumedSize: 100 }),
        description: 'Of the base.',
      }),
      finetuned: t.exposeStringList('finetuned', {
        ...costs({ assumedSize: 100 }),

        description: 'Of the finetune; of its base, with an adapter.',
      }),
    }),
  });

const RunDigestsRef = builder.objectRef<RunRow>('RunDigests').implement({
  description: 'What was measured, by content: each a SHA-256 in hex.',
  fields: (t) => ({
    base: t.exposeString('baseDigest', { description: 'Of the base checkpoint.' }),
    finetuned: t.exposeString('finetunedDigest', { description: 'Of the adapter or checkpoint.' }),
    tokens: t.exposeString('tokensDigest', { description: 'Of the token ids fed to both models.' }),
    corpus: t.exposeString('corpusDigest', { description: 'Of the corpus file.' }),
  }),
});

export const CertificateRef = builder.objectRef<CertificateRow>('Certificate').implement({
  description:
    'The sanity checks that a run carries. None of them stopped it: what did not hold is in warnings.',
  fields: (t) => ({
    warnings: t.exposeStringList('warnings', {
      ...costs({ assumedSize: 10 }),

      description: 'What a reader of the results should know, in words; empty when nothing is amiss.',
    }),
    sharedWeights: t.exposeBoolean('sharedWeights', {
      description:
        'Whether both models read the same checkpoint files, so that the difference is the adapter alone.',
    }),
    adapter: t.field({
      type: AdapterCheckRef,
      nullable: true,
      description: 'What the adapter changes. Null for a full finetune.',
      resolve: ({ adapter, run: { key } }) => adapter && { ...adapter, key },
    }),
    tokenizer: t.field({
      type: TokenizerCheckRef,
      nullable: true,
      description: 'The tokenizer used and the finetune’s own. Null when not compared, as in older runs.',
      resolve: ({ tokenizer }) => tokenizer,
    }),
    vocabularySizes: t.expose('vocabularySizes', {
      type: VocabularySizesRef,
      description: 'Rows of the embeddings of both models.',
    }),
    notFinite: t.expose('notFinite', {
      type: NotFiniteCountsRef,
      description: 'Numbers that were NaN or infinite.',
    }),
    digests: t.field({
      type: RunDigestsRef,
      description: 'What was measured, by content.',
      resolve: ({ run }) => run,
    }),
    selection: t.expose('selection', {
      type: SelectionCountsRef,
      description: 'How the texts were taken from the corpus.',
    }),
    unknownConfigKeys: t.expose('unknownConfigKeys', {
      type: UnknownConfigKeysRef,
      description: 'Keys of config.json that the engine does not know.',
    }),
  }),
});
