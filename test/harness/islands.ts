import {
  bearer,
  owner,
  type Store,
  type TokenRow,
  type Viewer,
  type Visibility,
  visibilities,
} from '../../src/db/index.ts';
import { sha256 } from '../../src/lib/sha256.ts';
import { seedAgentRun } from './synthetic-agent.ts';
import { seedGrades } from './synthetic-grades.ts';
import { seedResults } from './synthetic-results.ts';
import { fakeDigest, syntheticModel, syntheticRun } from './synthetic-run.ts';
import { seedToken } from './teams.ts';

/** One of everything, seen by one rule, with `mark` in all its texts. */
export interface Island {
  /** Null: the owner's. */
  team: string | null;
  visibility: Visibility;
  mark: string;
  organism: string;
  model: string;
  corpus: string;
  run: string;
  vector: string;
  experiment: string;
  job: string;
  agentRun: string;
  /** Name and key of a judge of its own. */
  grader: string;
  graderKey: string;
  /** About the organism, the run and the vector. */
  notes: string[];
}

export interface Person {
  name: string;
  team: string | null;
  /** Whether it registered what its team has. */
  made: boolean;
  all: boolean;
  headers: Record<string, string>;
}

const teams = ['red', 'green', 'blue'];

/** A store with every visibility of every owner: three teams and the owner itself; and who comes to see it. */
export function seedIslands(store: Store): { islands: Island[]; people: Person[] } {
  const islands: Island[] = [];
  const people: Person[] = [];
  for (const team of teams) {
    const [maker, mate] = [seedToken(store, team), seedToken(store, team)];
    people.push({ name: `${team}, who made it`, team, made: true, all: false, headers: maker.headers });
    if (team === 'red')
      people.push({ name: `${team}, a mate`, team, made: false, all: false, headers: mate.headers });
    for (const visibility of visibilities)
      islands.push(seedIsland(store, bearer(maker.row as TokenRow), team, visibility));
  }
  for (const visibility of visibilities.filter((each) => each !== 'TEAM'))
    islands.push(seedIsland(store, owner, null, visibility));
  const { secret } = store.administration.createToken({ label: 'admin', scopes: ['admin'], team: null });
  people.push(
    { name: 'anonymous', team: null, made: false, all: false, headers: {} },
    {
      name: 'an administrator',
      team: null,
      made: false,
      all: true,
      headers: { Authorization: `Bearer ${secret}` },
    },
  );
  return { islands, people };
}

/** Whether somebody sees an island by its keys. */
export function sees({ all, team, made }: Person, island: Island): boolean {
  if (all || island.visibility === 'UNLISTED' || island.visibility === 'PUBLIC') return true;
  return team !== null && team === island.team && (island.visibility === 'TEAM' || made);
}

/** Whether somebody may change it. */
export const owns = (person: Person, island: Island): boolean =>
  person.all || (island.team !== null && person.team === island.team && sees(person, island));

/** Whether somebody has it in lists. */
export const lists = (person: Person, island: Island): boolean =>
  sees(person, island) && (island.visibility !== 'UNLISTED' || owns(person, island));

/** Whether somebody sees its job. */
export const seesJob = (person: Person, island: Island): boolean => owns(person, island);

function seedIsland(whole: Store, viewer: Viewer, team: string | null, visibility: Visibility): Island {
  const store: Store = { ...whole, ...whole.as(viewer) };
  const mark = `zq${team ?? 'owner'}${visibility.toLowerCase()}zq`;
  const model = store.models.add({
    ...syntheticModel,
    name: `base ${mark}`,
    digest: sha256(`base ${mark}`),
    architecture: mark,
    visibility,
  });
  const corpus = store.corpora.add({
    name: `corpus ${mark}`,
    path: `/corpora/${mark}`,
    textColumn: mark,
    digest: fakeDigest(mark),
    rows: 100,
    visibility,
  });
  const organism = store.organisms.add({
    name: `cake ${mark}`,
    baseModelId: model.id,
    path: `/models/${mark}`,
    form: 'LORA',
    kind: mark,
    description: mark,
    groundTruth: mark,
    trainingCorpus: null,
    mixRatio: 0.5,
    digest: sha256(`cake ${mark}`),
    visibility,
  });
  const record = syntheticRun(
    { organismId: organism.id, corpusId: corpus.id },
    { layers: [1], positions: 3 },
  );
  record.parameters = { mark };
  for (const layer of record.layers)
    for (const vector of layer.vectors)
      for (const projection of vector.projections) for (const token of projection.tokens) token.text = mark;
  const run = store.runs.save(record);
  const vector = store.diffVectors.findByKey(`${run.key}.L1.P0`);
  if (!vector) throw new Error('a synthetic run has no L1.P0');
  const experiment = seedResults(store, vector);
  const judge = seedGrades(store, experiment, `judge-${mark}`);
  store.tags.ofOrganism.add(organism, mark);
  store.tags.ofRun.add(run, mark);
  const notes = [{ organism }, { run }, { vector }].map((subject) => store.notes.add(subject, mark).key);
  const { agentRun } = seedAgentRun(store, organism, run, mark);
  const { key: job } = store.jobs.add({
    kind: 'run',
    spec: { organism: organism.name },
    identity: sha256(`job ${mark}`),
    organismId: organism.id,
  });
  return {
    team,
    visibility,
    mark,
    organism: organism.name,
    model: model.name,
    corpus: corpus.name,
    run: run.key,
    vector: vector.key,
    experiment: experiment.key,
    grader: judge.name,
    graderKey: judge.key,
    job,
    agentRun: agentRun.key,
    notes,
  };
}
