import { encodeGlobalID } from '@pothos/plugin-relay';
import {
  type CorpusRow,
  ForbiddenError,
  type ModelRow,
  type OrganismRow,
  type SharedKind,
  type Visibility,
} from '../src/db/index.ts';
import { CodedError } from '../src/lib/coded-error.ts';
import { BaseModelRef } from './base-model.ts';
import { builder, type GraphContext } from './builder.ts';
import { CorpusRef } from './corpus.ts';
import { VisibilityEnum } from './enums.ts';
import { idempotencyKeyOptions, mutation } from './mutation.ts';
import { splitId } from './node-key.ts';
import { OrganismRef } from './organism.ts';
import { demandOwn } from './scope.ts';
import { UserProblem } from './user-error.ts';

for (const ref of [OrganismRef, BaseModelRef, CorpusRef]) {
  builder.objectFields(ref as typeof OrganismRef, (t) => ({
    visibility: t.expose('visibility', {
      type: VisibilityEnum,
      description: 'Who sees it; for an organism, also its runs and all that was made of them.',
    }),
    team: t.string({
      nullable: true,
      description:
        'Name of the team that it belongs to, which alone changes it. Null: it is the store owner’s, or this is asked without a token.',
      resolve: ({ teamId }, _, { store }) =>
        teamId === null || store.viewer.kind === 'ANONYMOUS' ? null : (store.teams.nameOf(teamId) ?? null),
    }),
  }));
}

const kinds = { Organism: 'organism', BaseModel: 'model', Corpus: 'corpus' } as const;
type Shared = OrganismRow | ModelRow | CorpusRow;

const typeOf = (row: Shared): keyof typeof kinds =>
  'form' in row ? 'Organism' : 'dModel' in row ? 'BaseModel' : 'Corpus';

const ShareableRef = builder.unionType('Shareable', {
  description: 'What has a visibility of its own.',
  types: [OrganismRef, BaseModelRef, CorpusRef],
  resolveType: typeOf,
});

function sharedOf({ store }: GraphContext, id: string): { kind: SharedKind; row: Shared } | undefined {
  const { type = '', key = '' } = splitId(id) ?? {};
  if (!Object.hasOwn(kinds, type)) return undefined;
  const kind = kinds[type as keyof typeof kinds];
  const rows = { organism: store.organisms, model: store.models, corpus: store.corpora };
  const row = rows[kind].find(key);
  return row && { kind, row };
}

mutation<
  { subject: string; visibility: Visibility; team?: string | null; idempotencyKey?: string | null },
  Shared
>({
  name: 'visibilitySet',
  description: 'Says who sees an organism with its runs, a base model or a corpus. Whose it is decides.',
  scope: 'write',
  input: builder.inputType('VisibilitySetInput', {
    description: 'Who shall see what.',
    fields: (t) => ({
      subject: t.id({ required: true, description: 'The id of an organism, a base model or a corpus.' }),
      visibility: t.field({ type: VisibilityEnum, required: true, description: 'Who shall see it.' }),
      team: t.string({
        description:
          'Name of a team that it shall belong to, for administrators. Null: it stays whose it is.',
      }),
      idempotencyKey: t.string(idempotencyKeyOptions),
    }),
  }) as never,
  result: {
    field: 'subject',
    type: ShareableRef as never,
    description: 'The thing as it is now; null when there are userErrors.',
  },
  perform(context, { subject, visibility, team }) {
    const { store } = context;
    const found = sharedOf(context, subject);
    if (!found)
      throw new UserProblem('NOT_FOUND', 'There is nothing to share with this id here.', ['subject']);
    const { kind, row } = found;
    demandOwn(store, row, `The ${kind} "${row.name}"`, ['subject']);
    store.sharing.set(kind, row, { visibility, ...teamOf(context, team) });
    return sharedOf(context, subject)?.row ?? row;
  },
  problem(error) {
    if (error instanceof ForbiddenError)
      return new UserProblem('FORBIDDEN', sentence(error.message), ['visibility']);
    if (error instanceof CodedError && error.code === 'INVALID_ARGUMENT')
      return new UserProblem('INVALID', sentence(error.message), ['visibility']);
    return undefined;
  },
  keyOf: (row) => encodeGlobalID(typeOf(row), row.key),
  find: (context, id) => sharedOf(context, id)?.row,
});

const sentence = (message: string): string => `${message[0]?.toUpperCase()}${message.slice(1)}.`;

/** Nobody but an administrator learns which teams there are. @throws UserProblem */
function teamOf({ store }: GraphContext, name: string | null | undefined) {
  if (name === null || name === undefined) return {};
  if (!store.viewer.all)
    throw new UserProblem('FORBIDDEN', 'Only an administrator says whose a thing is.', ['team']);
  const team = store.teams.find(name);
  if (!team) throw new UserProblem('NOT_FOUND', `There is no team "${name}" here.`, ['team']);
  return { team };
}
