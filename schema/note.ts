import type { NoteRow, NoteSubject, Stores } from '../src/db/index.ts';
import { builder, type GraphContext } from './builder.ts';
import { connection, connectionType } from './connection.ts';
import { DiffVectorRef } from './diff-vector.ts';
import { maxNoteLength } from './limits.ts';
import { idempotencyKeyOptions, mutation } from './mutation.ts';
import { splitId } from './node-key.ts';
import { OrganismRef } from './organism.ts';
import { RunRef } from './run.ts';
import { demandOwn, organismOfRun } from './scope.ts';
import { UserProblem } from './user-error.ts';

export const NoteRef = builder.objectRef<NoteRow>('Note');
export const NoteConnection = connectionType('Note', NoteRef);

builder.node(NoteRef, {
  description: 'What somebody wrote about an organism, a run or a diff vector.',
  id: { resolve: (note) => note.key },
  loadOne: (key, { store }) => store.notes.findByKey(key),
  fields: (t) => ({
    text: t.exposeString('text', { description: 'Plain text as it was written; show it as text only.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was written.' }),
    organism: t.field({
      type: OrganismRef,
      nullable: true,
      description: 'The organism that it is about; null where it is about something else.',
      resolve: ({ organismId, subjectKey }, _, { store }) =>
        organismId === null ? null : store.organisms.find(subjectKey),
    }),
    run: t.field({
      type: RunRef,
      nullable: true,
      description: 'The run that it is about; null where it is about something else.',
      resolve: ({ runId, subjectKey }, _, { store }) =>
        runId === null ? null : store.runs.findByKey(subjectKey),
    }),
    diffVector: t.field({
      type: DiffVectorRef,
      nullable: true,
      description: 'The diff vector that it is about; null where it is about something else.',
      resolve: ({ vectorId, subjectKey }, _, { store }) =>
        vectorId === null ? null : store.diffVectors.findByKey(subjectKey),
    }),
  }),
});

const about = 'What people wrote about it, the oldest first.';

builder.objectField(OrganismRef, 'notes', (t) =>
  t.connection(
    {
      type: NoteRef,
      description: about,
      resolve: (organism, args, context) =>
        connection(context, context.store.notes.ofOrganism, organism, args),
    },
    NoteConnection,
  ),
);
builder.objectField(RunRef, 'notes', (t) =>
  t.connection(
    {
      type: NoteRef,
      description: about,
      resolve: (run, args, context) => connection(context, context.store.notes.ofRun, run, args),
    },
    NoteConnection,
  ),
);
builder.objectField(DiffVectorRef, 'notes', (t) =>
  t.connection(
    {
      type: NoteRef,
      description: about,
      resolve: (vector, args, context) => connection(context, context.store.notes.ofDiffVector, vector, args),
    },
    NoteConnection,
  ),
);

/** @throws UserProblem */
function subjectOf({ store }: GraphContext, id: string): NoteSubject {
  const { type, key = '' } = splitId(id) ?? {};
  const organism = type === 'Organism' ? store.organisms.find(key) : undefined;
  if (organism) return { organism };
  const run = type === 'Run' ? store.runs.findByKey(key) : undefined;
  if (run) return { run };
  const vector = type === 'DiffVector' ? store.diffVectors.findByKey(key) : undefined;
  if (vector) return { vector };
  throw new UserProblem('NOT_FOUND', 'There is no organism, run or diff vector with this id here.', [
    'subject',
  ]);
}

/** What a note that was found is about; it is seen where the note is. */
function aboutOf(store: Stores, { organismId, runId, subjectKey }: NoteRow): NoteSubject {
  if (organismId !== null) return { organism: store.organisms.get(subjectKey) };
  if (runId !== null) return { run: store.runs.get(subjectKey) };
  const vector = store.diffVectors.findByKey(subjectKey);
  if (!vector) throw new Error(`a note is about ${subjectKey}, which is not there`);
  return { vector };
}

/** @throws UserProblem FORBIDDEN */
function demandOwnSubject(store: Stores, { organism, run, vector }: NoteSubject, field: string[]): void {
  const whose = organism ?? organismOfRun(store, run ?? vector.layer.run);
  demandOwn(store, whose, `Organism "${whose.name}"`, field);
}

const result = {
  field: 'note',
  type: NoteRef,
  description: 'The note; null when there are userErrors.',
} as const;

mutation({
  name: 'noteCreate',
  description: 'Writes a note about an organism, a run or a diff vector.',
  scope: 'write',
  input: builder.inputType('NoteCreateInput', {
    description: 'What is said, of what.',
    fields: (t) => ({
      subject: t.id({ required: true, description: 'The id of an organism, a run or a diff vector.' }),
      text: t.string({
        required: true,
        description: `Plain text, 1 to ${maxNoteLength} characters, not blank.`,
      }),
      idempotencyKey: t.string(idempotencyKeyOptions),
    }),
  }),
  result,
  perform(context, { subject, text }) {
    if (text.trim() === '') throw new UserProblem('INVALID', 'A note says something.', ['text']);
    if (text.length > maxNoteLength)
      throw new UserProblem(
        'INVALID',
        `A note has at most ${maxNoteLength} characters, not ${text.length}.`,
        ['text'],
      );
    const about = subjectOf(context, subject);
    demandOwnSubject(context.store, about, ['subject']);
    return context.store.notes.add(about, text);
  },
  find: ({ store }, key) => store.notes.findByKey(key),
});

mutation({
  name: 'noteDelete',
  description: 'Takes a note away for good.',
  scope: 'write',
  input: builder.inputType('NoteDeleteInput', {
    description: 'Which note.',
    fields: (t) => ({
      id: t.id({ required: true, description: 'The id of the note.' }),
      idempotencyKey: t.string(idempotencyKeyOptions),
    }),
  }),
  result: {
    ...result,
    description: 'The note as it was; null when there are userErrors, and when the request is repeated.',
  },
  perform({ store }, { id }) {
    const { type, key = '' } = splitId(id) ?? {};
    const note = type === 'Note' ? store.notes.findByKey(key) : undefined;
    if (!note) throw new UserProblem('NOT_FOUND', 'There is no note with this id here.', ['id']);
    demandOwnSubject(store, aboutOf(store, note), ['id']);
    store.notes.remove(note);
    return note;
  },
  find: () => null,
});
