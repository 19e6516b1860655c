import type { CorpusRow } from '../src/db/index.ts';
import { builder } from './builder.ts';
import { connection, connectionType } from './connection.ts';
import { filtered } from './filter.ts';
import { RunConnection, runFilters, RunRef } from './run.ts';

export const CorpusRef = builder.objectRef<CorpusRow>('Corpus');
export const CorpusConnection = connectionType('Corpus', CorpusRef);

builder.node(CorpusRef, {
  description: 'Probe text, unrelated to any finetune, on which both models run.',
  id: { resolve: (corpus) => corpus.key },
  loadOne: (name, { store }) => store.corpora.find(name),
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Unique name in this store.' }),
    textColumn: t.exposeString('textColumn', { description: 'The member of each line that holds the text.' }),
    digest: t.exposeString('digest', { description: 'SHA-256 of the file, in hex.' }),
    rows: t.exposeInt('rows', { description: 'Number of texts in the file.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was registered here.' }),
    runs: t.connection(
      {
        type: RunRef,
        description: 'Measurements on this corpus, newest first.',
        args: runFilters,
        ...filtered,
        resolve: (corpus, args, context) => connection(context, context.store.runs.ofCorpus, corpus, args),
      },
      RunConnection,
    ),
  }),
});

builder.queryFields((t) => ({
  corpora: t.connection(
    {
      type: CorpusRef,
      description: 'All corpora, by name.',
      resolve: (_, args, context) => connection(context, context.store.corpora.all, null, args),
    },
    CorpusConnection,
  ),
  corpus: t.field({
    type: CorpusRef,
    nullable: true,
    description: 'The corpus of this name; null when there is none.',
    args: { name: t.arg.string({ required: true, description: 'Its exact name.' }) },
    resolve: (_, { name }, { store }) => store.corpora.find(name),
  }),
}));
