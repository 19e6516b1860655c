import type { JobRow } from '../src/db/index.ts';
import type { JobResult } from '../src/jobs/index.ts';
import { BaseModelRef } from './base-model.ts';
import { builder } from './builder.ts';
import { connection, connectionType } from './connection.ts';
import { CorpusRef } from './corpus.ts';
import { costs } from './cost.ts';
import { DiffVectorRef } from './diff-vector.ts';
import { JobStateEnum } from './enums.ts';
import { OrganismRef } from './organism.ts';
import { RunLayerRef } from './run-layer.ts';
import { RunRef } from './run.ts';
import { SteeringExperimentRef } from './steering-experiment.ts';

export const JobRef = builder.objectRef<JobRow>('Job');
export const JobConnection = connectionType('Job', JobRef);

const resultOf = ({ result }: JobRow): Partial<JobResult> => result ?? {};
const found = <Row>(rows: readonly (Row | undefined)[]): Row[] => rows.filter((row) => row !== undefined);

const JobProgressRef = builder.objectRef<Pick<JobRow, 'phase' | 'done' | 'total'>>('JobProgress').implement({
  description: 'How far a job is in the phase that it is in.',
  fields: (t) => ({
    phase: t.exposeString('phase', {
      nullable: true,
      description:
        'What it is at, an open set: digest, tokens, forward, lens, save, … Null before the first.',
    }),
    done: t.exposeFloat('done', {
      nullable: true,
      description: 'Work done in this phase, in units that only compare with total; null where not counted.',
    }),
    total: t.exposeFloat('total', {
      nullable: true,
      description: 'Work of this phase in all, in the same units; null where not counted.',
    }),
  }),
});

const JobErrorRef = builder.objectRef<{ code: string; message: string }>('JobError').implement({
  description: 'Why a job could not be done.',
  fields: (t) => ({
    code: t.exposeString('code', {
      description:
        'Stable, an open set: codes of the engine such as MODEL_CHANGED or OUT_OF_MEMORY; JOB_STALLED; ENGINE_CRASHED, after which it is not tried again.',
    }),
    message: t.exposeString('message', { description: 'One line for the person who has to act on it.' }),
  }),
});

builder.node(JobRef, {
  description: 'Work for an engine. The same request on the same files is the same job.',
  id: { resolve: (job) => job.key },
  loadOne: (key, { store }) => store.jobs.findByKey(key),
  fields: (t) => ({
    key: t.exposeString('key', {
      description: 'Readable identity, 20 hex digits that follow from what was asked.',
    }),
    kind: t.exposeString('kind', {
      description:
        'What it does, an open set: run, projection, steering, causal, divergence, components, model, organism, corpus.',
    }),
    state: t.expose('state', { type: JobStateEnum, description: 'Where it stands.' }),
    spec: t.expose('spec', { type: 'JSON', description: 'What was asked, with defaults filled in.' }),
    attempts: t.exposeInt('attempts', {
      description:
        'How often an engine began with it since it was last queued, deaths of engines not counted.',
    }),
    cancelRequested: t.exposeBoolean('cancelRequested', {
      description: 'Whether its engine has been asked to end it and has not yet.',
    }),
    progress: t.field({ type: JobProgressRef, description: 'How far it is.', resolve: (job) => job }),
    error: t.field({
      type: JobErrorRef,
      nullable: true,
      description: 'Why it could not be done; null unless its state is ERROR.',
      resolve: ({ state, errorCode, errorMessage }) =>
        state === 'ERROR' ? { code: errorCode ?? 'INTERNAL', message: errorMessage ?? '' } : null,
    }),
    warnings: t.stringList({
      ...costs({ assumedSize: 10 }),

      description: 'What a reader of its result should know, in words; empty before it is completed.',
      resolve: (job) => resultOf(job).warnings ?? [],
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was first asked for.' }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When an engine last began with it; null before the first.',
    }),
    finishedAt: t.expose('finishedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was completed, given up or cancelled; null until then.',
    }),
    lastEvent: t.int({
      ...costs({ weight: 1 }),

      description: 'Number of its newest event; they count from 1.',
      resolve: (job, _, { store }) => store.jobs.lastEventNumber(job),
    }),
    organism: t.field({
      type: OrganismRef,
      nullable: true,
      description:
        'The organism it is about, or that it registered; null where there is none yet, or the viewer does not see it.',
      resolve: (job, _, { store }) => {
        const name = resultOf(job).organism;
        if (name !== undefined) return store.organisms.find(name);
        return job.organismId === null ? null : store.organisms.findById(job.organismId);
      },
    }),
    baseModel: t.field({
      type: BaseModelRef,
      nullable: true,
      description:
        'The base model that it registered or used to; null for other kinds, and before it is completed.',
      resolve: (job, _, { store }) => {
        const name = resultOf(job).baseModel;
        return name === undefined ? null : store.models.find(name);
      },
    }),
    corpus: t.field({
      type: CorpusRef,
      nullable: true,
      description: 'The corpus that it registered; null for other kinds, and before it is completed.',
      resolve: (job, _, { store }) => {
        const name = resultOf(job).corpus;
        return name === undefined ? null : store.corpora.find(name);
      },
    }),
    run: t.field({
      type: RunRef,
      nullable: true,
      description: 'The run that it made or read; null for registrations, and before it is completed.',
      resolve: (job, _, { store }) => {
        const key = resultOf(job).run;
        return key === undefined ? null : store.runs.findByKey(key);
      },
    }),
    layer: t.field({
      type: RunLayerRef,
      nullable: true,
      description: 'The layer that it read; null where it was not one, and before it is completed.',
      resolve: (job, _, { store }) => {
        const key = resultOf(job).layer;
        return key === undefined ? null : store.layers.findByKey(key);
      },
    }),
    diffVectors: t.field({
      type: [DiffVectorRef],
      ...costs({ assumedSize: 10 }),
      description:
        'The diff vectors that it read, by position; empty where it read none, and before it is completed.',
      resolve: (job, _, { store }) =>
        found((resultOf(job).diffVectors ?? []).map((key) => store.diffVectors.findByKey(key))),
    }),
    experiments: t.field({
      type: [SteeringExperimentRef],
      ...costs({ assumedSize: 10 }),
      description:
        'The steering experiments that it made; empty for other kinds, and before it is completed.',
      resolve: (job, _, { store }) =>
        found((resultOf(job).experiments ?? []).map((key) => store.steering.findByKey(key))),
    }),
  }),
});

builder.queryFields((t) => ({
  jobs: t.connection(
    {
      type: JobRef,
      description: 'All jobs, newest first.',
      args: {
        states: t.arg({
          type: [JobStateEnum],
          description: 'Only jobs in one of these states. Null or absent: all.',
        }),
        kinds: t.arg.stringList({ description: 'Only jobs of one of these kinds. Null or absent: all.' }),
      },
      resolve: (_, args, context) => connection(context, context.store.jobs.all, null, args),
    },
    JobConnection,
  ),
  job: t.field({
    type: JobRef,
    nullable: true,
    description: 'The job of this key; null when there is none.',
    args: { key: t.arg.string({ required: true, description: 'Its 20 hex digits.' }) },
    resolve: (_, { key }, { store }) => store.jobs.findByKey(key),
  }),
}));
