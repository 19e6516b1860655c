import type { RunRow } from '../src/db/index.ts';
import { BaseModelRef } from './base-model.ts';
import { builder } from './builder.ts';
import { CertificateRef, certificateOf } from './certificate.ts';
import { connection, connectionType } from './connection.ts';
import { CorpusRef } from './corpus.ts';
import { costs } from './cost.ts';
import { DivergenceConnection, DivergenceRef } from './divergence.ts';
import { downloadUrl, urlArguments } from './download-url.ts';
import { ModeEnum } from './enums.ts';
import { filtered, orderedBy } from './filter.ts';
import { RunFilter, RunOrder } from './filters.ts';
import { OrganismRef } from './organism.ts';
import { RunLayerConnection, RunLayerRef } from './run-layer.ts';

export const RunRef = builder.objectRef<RunRow>('Run');
export const RunConnection = connectionType('Run', RunRef);

/** Arguments of every list of runs. */
export const runFilters = builder.args((t) => ({
  where: t.field({ type: RunFilter, description: 'Only runs that match. Null or absent: all.' }),
  orderBy: t.field({ type: [RunOrder], description: orderedBy('newest first') }),
  methods: t.stringList({ description: 'Only runs by one of these methods. Null or absent: all.' }),
}));

builder.node(RunRef, {
  description: 'One comparison of an organism with its base on a corpus, with everything that made it.',
  id: { resolve: (run) => run.key },
  loadOne: (key, { store }) => store.runs.findByKey(key),
  fields: (t) => ({
    key: t.exposeString('key', {
      description:
        'Readable identity, 20 hex digits that follow from what was asked: the same request is the same run.',
    }),
    digest: t.exposeString('digest', {
      description:
        'SHA-256 over the manifest of the run and its vectors, in hex; equal for equal results, whatever the device or time.',
    }),
    method: t.exposeString('method', { description: 'How the models were compared.' }),
    methodVersion: t.exposeInt('methodVersion', {
      description: 'Version of that method; it grows when its maths does.',
    }),
    positions: t.exposeInt('positions', {
      description: 'Number of token positions measured, from the start of each text, BOS included.',
    }),
    samples: t.exposeInt('samples', { description: 'Number of texts used.' }),
    uniquePrefixes: t.exposeInt('uniquePrefixes', {
      description: 'Different token prefixes among them: the tokens actually computed.',
    }),
    baseDigest: t.exposeString('baseDigest', {
      description: 'SHA-256 of the base checkpoint as it was measured, in hex.',
    }),
    finetunedDigest: t.exposeString('finetunedDigest', {
      description: 'SHA-256 of the adapter or checkpoint as it was measured, in hex.',
    }),
    corpusDigest: t.exposeString('corpusDigest', {
      description: 'SHA-256 of the corpus as it was measured, in hex.',
    }),
    tokensDigest: t.exposeString('tokensDigest', {
      description: 'SHA-256 of the token ids fed to both models, in hex.',
    }),
    seed: t.expose('seed', {
      type: 'BigInt',
      nullable: true,
      description: 'Seed of the random choices; null when nothing was random.',
    }),
    computeDtype: t.exposeString('computeDtype', {
      description: 'Type of the forward pass: float32 or bfloat16.',
    }),
    accumulateDtype: t.exposeString('accumulateDtype', {
      description:
        'Type of the sums behind the means; int128 is fixed point in units of 2^-60, in which sums are exact.',
    }),
    storeDtype: t.exposeString('storeDtype', { description: 'Type of the stored vectors.' }),
    engineVersion: t.exposeString('engineVersion', {
      description: 'Version of the engine that measured it.',
    }),
    device: t.exposeString('device', { description: 'What computed it.' }),
    mode: t.field({
      type: ModeEnum,
      description: 'Whose rounding points the means follow: ours, or the published implementation’s.',
      resolve: ({ parameters }) => (parameters['mode'] === 'COMPAT' ? 'COMPAT' : 'EXACT'),
    }),
    parameters: t.expose('parameters', { type: 'JSON', description: 'Parameters of the method.' }),
    certificate: t.field({
      type: CertificateRef,
      description: 'The sanity checks the run carries.',
      resolve: certificateOf,
    }),
    durationMs: t.exposeFloat('durationMs', {
      description: 'How long the measurement took, in milliseconds.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was saved here.' }),
    safetensorsUrl: t.string({
      description:
        'Where all vectors of the run are as one safetensors file: diff, base_mean and finetuned_mean as [layers, positions, d_model] F32; layers, positions and count (texts averaged) as I64.',
      args: urlArguments,
      resolve: (run, { expiresIn }, context) =>
        downloadUrl(context, `/v1/runs/${run.key}.safetensors`, `digest=${run.digest}`, expiresIn),
    }),
    organism: t.field({
      type: OrganismRef,
      description: 'The organism measured, as it is registered now; finetunedDigest says what was measured.',
      resolve: (run, _, { store }) => store.organisms.getById(run.organismId),
    }),
    baseModel: t.field({
      type: BaseModelRef,
      nullable: true,
      description:
        'The base measured, as it is registered now; baseDigest says what was measured. Null where the viewer does not see it.',
      resolve: (run, _, { store }) => store.models.findById(run.baseModelId),
    }),
    corpus: t.field({
      type: CorpusRef,
      nullable: true,
      description:
        'The probe text, as it is registered now; corpusDigest says what was used. Null where the viewer does not see it.',
      resolve: (run, _, { store }) => store.corpora.findById(run.corpusId),
    }),
    layers: t.connection(
      {
        type: RunLayerRef,
        ...costs({ slicingArguments: ['layers'] }),
        description: 'The layers measured, lowest first.',
        args: {
          layers: t.arg.intList({
            description: 'Only these layers, 0-based. Null or absent: all that were measured.',
          }),
        },
        resolve: (run, args, context) => connection(context, context.store.layers.ofRun, run, args),
      },
      RunLayerConnection,
    ),
    layer: t.field({
      type: RunLayerRef,
      nullable: true,
      description: 'One layer; null when the run did not measure it.',
      args: { layer: t.arg.int({ required: true, description: 'Index of the decoder block, 0-based.' }) },
      resolve: (run, { layer }, { store }) => store.layers.find(run, layer),
    }),
    divergences: t.connection(
      {
        type: DivergenceRef,
        ...costs({ slicingArguments: ['positions'] }),
        description: 'How far the predictions of the two models are apart, by position.',
        args: {
          positions: t.arg.intList({ description: 'Only these positions, 0-based. Null or absent: all.' }),
        },
        resolve: (run, args, context) => connection(context, context.store.divergences.ofRun, run, args),
      },
      DivergenceConnection,
    ),
  }),
});

builder.queryFields((t) => ({
  runs: t.connection(
    {
      type: RunRef,
      description: 'All runs, newest first unless told otherwise.',
      args: runFilters,
      ...filtered,
      resolve: (_, args, context) => connection(context, context.store.runs.all, null, args),
    },
    RunConnection,
  ),
  run: t.field({
    type: RunRef,
    nullable: true,
    description: 'The run of this key; null when there is none.',
    args: { key: t.arg.string({ required: true, description: 'Its 20 hex digits.' }) },
    resolve: (_, { key }, { store }) => store.runs.findByKey(key),
  }),
}));
