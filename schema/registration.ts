import type { OrganismRow, Stores } from '../src/db/index.ts';
import { builder } from './builder.ts';
import { OrganismFormEnum, VisibilityEnum } from './enums.ts';
import { starter } from './job-mutations.ts';
import { idempotencyKeyOptions, mutation } from './mutation.ts';
import { OrganismRef } from './organism.ts';
import { demandOwn } from './scope.ts';
import { UserProblem } from './user-error.ts';

const PlaceInput = builder.inputType('PlaceInput', {
  description:
    'A file or folder of the server, under a folder that it was started with. Nothing outside is opened, whatever links lead there.',
  fields: (t) => ({
    root: t.string({ required: true, description: 'Name of a registered root.' }),
    path: t.string({
      required: true,
      description: 'Below the root, parts divided by slashes, no "..", not absolute; "." is the root itself.',
    }),
  }),
});

const how = 'An engine opens and digests it, so this is a job, whose result has the new node.';
const visibility = {
  type: VisibilityEnum,
  description: 'Who sees it. Null: TEAM for what a token registers, PRIVATE for what the owner does.',
} as const;
const newName = { required: true, description: 'Unique name, 1 to 200 characters.' } as const;

starter({
  name: 'modelCreate',
  kind: 'model',
  scope: ['write', 'import'],
  description: `Registers a base checkpoint. ${how}`,
  input: builder.inputType('ModelCreateInput', {
    description: 'Which checkpoint.',
    fields: (t) => ({
      name: t.string(newName),
      place: t.field({ type: PlaceInput, required: true, description: 'Folder of the checkpoint.' }),
      visibility: t.field(visibility),
      idempotencyKey: t.string(idempotencyKeyOptions),
    }),
  }),
});

starter({
  name: 'organismCreate',
  kind: 'organism',
  scope: ['write', 'import'],
  description: `Registers a finetune of a registered base model. ${how}`,
  input: builder.inputType('OrganismCreateInput', {
    description: 'Which finetune, and what it was trained to be.',
    fields: (t) => ({
      name: t.string(newName),
      baseModel: t.string({ required: true, description: 'Name of the base model.' }),
      place: t.field({
        type: PlaceInput,
        required: true,
        description: 'Folder of the adapter, or of the whole checkpoint.',
      }),
      form: t.field({ type: OrganismFormEnum, required: true, description: 'Which of the two it is.' }),
      kind: t.string({ description: 'What sort of finetune: SDF, EM, TABOO, … Null: OTHER.' }),
      description: t.string({ description: 'The finetune in a few words. Null: none.' }),
      groundTruth: t.string({ description: 'What it was trained on, in full; null where not known.' }),
      trainingCorpus: t.field({
        type: PlaceInput,
        description: 'JSON lines of what it was trained on; null where there are none.',
      }),
      mixRatio: t.float({
        description:
          'Unrelated documents mixed in per document of the finetune, 0 or more; null where not known.',
      }),
      visibility: t.field(visibility),
      idempotencyKey: t.string(idempotencyKeyOptions),
    }),
  }),
});

starter({
  name: 'corpusCreate',
  kind: 'corpus',
  scope: ['write', 'import'],
  description: `Registers probe texts. ${how}`,
  input: builder.inputType('CorpusCreateInput', {
    description: 'Which texts.',
    fields: (t) => ({
      name: t.string(newName),
      place: t.field({ type: PlaceInput, required: true, description: 'File of JSON lines.' }),
      textColumn: t.string({ description: 'The member of each line that holds the text. Null: text.' }),
      visibility: t.field(visibility),
      idempotencyKey: t.string(idempotencyKeyOptions),
    }),
  }),
});

const organismName = { required: true, description: 'Its exact name.' } as const;

/** One that the viewer may change. @throws UserProblem */
function organismOf(store: Stores, name: string): OrganismRow {
  const organism = store.organisms.find(name);
  if (!organism) throw new UserProblem('NOT_FOUND', `There is no organism "${name}" here.`, ['name']);
  demandOwn(store, organism, `Organism "${name}"`, ['name']);
  return organism;
}

mutation({
  name: 'organismUpdate',
  description: 'Changes what is said of an organism. Its files and its name stay what they are.',
  scope: 'write',
  input: builder.inputType('OrganismUpdateInput', {
    description: 'Members that are absent stay as they are.',
    fields: (t) => ({
      name: t.string(organismName),
      kind: t.string({ description: 'What sort of finetune, 1 to 50 characters; null changes nothing.' }),
      description: t.string({ description: 'At most 10,000 characters; null changes nothing.' }),
      groundTruth: t.string({ description: 'At most 100,000 characters; null: not known.' }),
      mixRatio: t.float({ description: '0 or more; null: not known.' }),
      idempotencyKey: t.string(idempotencyKeyOptions),
    }),
  }),
  result: {
    field: 'organism',
    type: OrganismRef,
    description: 'The organism as it is now; null when there are userErrors.',
  },
  perform({ store }, { name, kind, description, groundTruth, mixRatio }) {
    const organism = organismOf(store, name);
    longest('kind', kind, 1, 50);
    longest('description', description, 0, 10_000);
    longest('groundTruth', groundTruth, 0, 100_000);
    if (typeof mixRatio === 'number' && mixRatio < 0)
      throw new UserProblem('INVALID', `mixRatio is 0 or more, not ${mixRatio}.`, ['mixRatio']);
    const { id: _, key: __, createdAt: ___, ...known } = organism;
    return store.organisms.add(
      {
        ...known,
        kind: kind ?? known.kind,
        description: description ?? known.description,
        groundTruth: groundTruth === undefined ? known.groundTruth : groundTruth,
        mixRatio: mixRatio === undefined ? known.mixRatio : mixRatio,
      },
      { update: true },
    );
  },
  find: ({ store }, key) => store.organisms.find(key),
});

function longest(field: string, text: string | null | undefined, least: number, most: number): void {
  const length = text?.length ?? least;
  if (length >= least && length <= most) return;
  throw new UserProblem('INVALID', `${field} has ${least} to ${most} characters, not ${length}.`, [field]);
}

mutation({
  name: 'organismDelete',
  description:
    'Takes an organism out of the store, with its tags, notes and jobs; its files stay. One that has runs, or that agents tried to find out, stays.',
  scope: 'write',
  input: builder.inputType('OrganismDeleteInput', {
    description: 'Which organism.',
    fields: (t) => ({ name: t.string(organismName), idempotencyKey: t.string(idempotencyKeyOptions) }),
  }),
  result: {
    field: 'organism',
    type: OrganismRef,
    description: 'The organism as it was; null when there are userErrors, and when the request is repeated.',
  },
  perform({ store }, { name }) {
    const organism = organismOf(store, name);
    if (store.runs.latestOfOrganism(organism) !== undefined || store.agentRuns.anyOf(organism))
      throw new UserProblem('CONFLICT', `Organism "${name}" has runs, which would lose what they are of.`, [
        'name',
      ]);
    store.organisms.remove(organism);
    return organism;
  },
  find: () => null,
});
