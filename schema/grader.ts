import type { GraderRow } from '../src/db/index.ts';
import { builder } from './builder.ts';
import { connection, connectionType } from './connection.ts';
import { GraderKindEnum } from './enums.ts';
import { filtered, orderedBy } from './filter.ts';
import { GraderFilter, GraderOrder } from './filters.ts';

export const GraderRef = builder.objectRef<GraderRow>('Grader');
export const GraderConnection = connectionType('Grader', GraderRef);

/** What an argument that names a grader takes. */
export const graderName =
  'a name, such as offline-relevance, for its newest version, or a key for exactly that one';

const asksNobody = 'Null for one that asks nobody.';

builder.node(GraderRef, {
  description:
    'What judges: a name with everything that decides how. Another version, prompt or model is another grader. Whoever sees one of its grades sees it.',
  id: { resolve: (grader) => grader.key },
  loadOne: (key, { store }) => store.graders.findByKey(key),
  fields: (t) => ({
    key: t.exposeString('key', {
      description: 'Readable identity: its name, a dot, and twelve hex digits of all the rest.',
    }),
    name: t.exposeString('name', {
      description: 'What it is called, such as token-relevance or offline-relevance.',
    }),
    version: t.exposeInt('version', {
      description: 'Grows when it asks otherwise or reads the same reply otherwise, 1 or more.',
    }),
    kind: t.field({
      type: GraderKindEnum,
      description: 'Whether it asks a language model.',
      resolve: ({ provider }) => (provider === null ? 'OFFLINE' : 'LANGUAGE_MODEL'),
    }),
    promptDigest: t.exposeString('promptDigest', {
      nullable: true,
      description: `SHA-256 of its prompt, in hex. ${asksNobody}`,
    }),
    provider: t.exposeString('provider', {
      nullable: true,
      description: `Who answers it, an open set: openai-compatible, or local for our own engine. ${asksNobody}`,
    }),
    endpoint: t.string({
      nullable: true,
      description:
        'Address of the provider; for a local model the SHA-256 of its checkpoint. Null for one that asks nobody, and for all but administrators and the owner of the store.',
      resolve: ({ endpoint }, _, { store }) => (store.viewer.all ? endpoint : null),
    }),
    model: t.exposeString('model', { nullable: true, description: `The model that is asked. ${asksNobody}` }),
    parameters: t.expose('parameters', {
      type: 'JSON',
      description: 'Whatever else decides how it judges: thresholds, temperature and the like.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it first graded here.' }),
  }),
});

builder.queryFields((t) => ({
  graders: t.connection(
    {
      type: GraderRef,
      ...filtered,
      description: 'All graders with a grade that may be listed, by name and version unless told otherwise.',
      args: {
        where: t.arg({ type: GraderFilter, description: 'Only graders that match. Null or absent: all.' }),
        orderBy: t.arg({ type: [GraderOrder], description: orderedBy('by name, version and key') }),
      },
      resolve: (_, args, context) => connection(context, context.store.graders.all, null, args),
    },
    GraderConnection,
  ),
  grader: t.field({
    type: GraderRef,
    nullable: true,
    description: 'One grader; null when there is none.',
    args: {
      name: t.arg.string({ required: true, description: `Which: ${graderName}.` }),
    },
    resolve: (_, { name }, { store }) => store.graders.named(name),
  }),
}));
