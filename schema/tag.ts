import { encodeGlobalID } from '@pothos/plugin-relay';
import type { OrganismRow, RunRow } from '../src/db/index.ts';
import { builder, type GraphContext } from './builder.ts';
import { costs } from './cost.ts';
import { maxTags } from './limits.ts';
import { idempotencyKeyOptions, mutation } from './mutation.ts';
import { splitId } from './node-key.ts';
import { OrganismRef } from './organism.ts';
import { RunRef } from './run.ts';
import { demandOwn, organismOfRun } from './scope.ts';
import { UserProblem } from './user-error.ts';

builder.objectField(OrganismRef, 'tags', (t) =>
  t.stringList({
    ...costs({ weight: 1, assumedSize: maxTags }),
    description: 'Words that people put on it to find it again, in alphabetical order.',
    resolve: (organism, _, { store }) => store.tags.ofOrganism.list(organism),
  }),
);
builder.objectField(RunRef, 'tags', (t) =>
  t.stringList({
    ...costs({ weight: 1, assumedSize: maxTags }),
    description: 'Words that people put on it to find it again, in alphabetical order.',
    resolve: (run, _, { store }) => store.tags.ofRun.list(run),
  }),
);

type Taggable = { type: 'Organism'; row: OrganismRow } | { type: 'Run'; row: RunRow };

const TaggableRef = builder.unionType('Taggable', {
  description: 'What can have tags.',
  types: [OrganismRef, RunRef],
  resolveType: (row) => ('form' in row ? 'Organism' : 'Run'),
});

const rowOf = (context: GraphContext, id: string): Taggable | undefined => {
  const { type, key } = splitId(id) ?? {};
  if (key === undefined) return undefined;
  const organism = type === 'Organism' ? context.store.organisms.find(key) : undefined;
  if (organism) return { type: 'Organism', row: organism };
  const run = type === 'Run' ? context.store.runs.findByKey(key) : undefined;
  return run && { type: 'Run', row: run };
};

/** @throws UserProblem */
function taggable(context: GraphContext, id: string): Taggable {
  const found = rowOf(context, id);
  if (!found)
    throw new UserProblem('NOT_FOUND', 'There is no organism or run with this id here.', ['subject']);
  const { store } = context;
  const organism = found.type === 'Organism' ? found.row : organismOfRun(store, found.row);
  demandOwn(store, organism, `Organism "${organism.name}"`, ['subject']);
  return found;
}

const tagPattern = /^[\p{L}\p{N}][\p{L}\p{N}\p{M} ._:+-]{0,49}$/u;

const tagsOf = ({ store }: GraphContext, { type, row }: Taggable) =>
  type === 'Organism'
    ? {
        list: () => store.tags.ofOrganism.list(row),
        add: (tag: string) => store.tags.ofOrganism.add(row, tag),
        remove: (tag: string) => store.tags.ofOrganism.remove(row, tag),
      }
    : {
        list: () => store.tags.ofRun.list(row),
        add: (tag: string) => store.tags.ofRun.add(row, tag),
        remove: (tag: string) => store.tags.ofRun.remove(row, tag),
      };

const subject = { required: true, description: 'The id of an organism or a run.' } as const;
const result = {
  field: 'subject',
  type: TaggableRef as never,
  description: 'The organism or run; null when there are userErrors.',
} as const;
const keyOf = (row: OrganismRow | RunRow): string =>
  encodeGlobalID('form' in row ? 'Organism' : 'Run', row.key);
const find = (context: GraphContext, id: string) => rowOf(context, id)?.row;

mutation<{ subject: string; tag: string; idempotencyKey?: string | null }, OrganismRow | RunRow>({
  name: 'tagAdd',
  description: 'Puts a tag on an organism or a run; one that it has already is left as it is.',
  scope: 'write',
  input: builder.inputType('TagAddInput', {
    description: 'Which tag, on what.',
    fields: (t) => ({
      subject: t.id(subject),
      tag: t.string({
        required: true,
        description: '1 to 50 letters, digits, spaces and . _ : + -, beginning with a letter or digit.',
      }),
      idempotencyKey: t.string(idempotencyKeyOptions),
    }),
  }) as never,
  result,
  perform(context, { subject, tag }) {
    const found = taggable(context, subject);
    if (!tagPattern.test(tag) || tag !== tag.trim()) {
      throw new UserProblem(
        'INVALID',
        'A tag has 1 to 50 letters, digits, spaces and . _ : + -, beginning with a letter or digit.',
        ['tag'],
      );
    }
    const tags = tagsOf(context, found);
    const there = tags.list();
    if (there.length >= maxTags && !there.includes(tag))
      throw new UserProblem('INVALID', `It has ${maxTags} tags already; remove one first.`, ['tag']);
    tags.add(tag);
    return found.row;
  },
  keyOf,
  find,
});

mutation<{ subject: string; tag: string; idempotencyKey?: string | null }, OrganismRow | RunRow>({
  name: 'tagRemove',
  description: 'Takes a tag off an organism or a run; one that it does not have is no error.',
  scope: 'write',
  input: builder.inputType('TagRemoveInput', {
    description: 'Which tag, off what.',
    fields: (t) => ({
      subject: t.id(subject),
      tag: t.string({ required: true, description: 'The tag, exactly.' }),
      idempotencyKey: t.string(idempotencyKeyOptions),
    }),
  }) as never,
  result,
  perform(context, { subject, tag }) {
    const found = taggable(context, subject);
    tagsOf(context, found).remove(tag);
    return found.row;
  },
  keyOf,
  find,
});
