import {
  getNamedType,
  isInterfaceType,
  isNonNullType,
  isObjectType,
  isUnionType,
  type GraphQLField,
  type GraphQLObjectType,
} from 'graphql';
import { beforeAll, describe, expect, it } from 'vitest';
import { schema } from '../../schema/index.ts';
import { openStore, type Store } from '../../src/db/index.ts';
import { createServer, listen } from '../../src/server/index.ts';
import { type Island, lists, owns, type Person, seedIslands, sees, seesJob } from '../harness/islands.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

// Who sees what, over HTTP: every type of node, every root field and every edge of the schema, for tokens of three teams, their
// mates, an administrator and nobody. A field that is new to the schema fails here until it has its line.

const idOf = (type: string, key: string): string => Buffer.from(`${type}:${key}`).toString('base64');

/** What is not there and never was, in the place of every name and key of an island. */
const nothing: Island = {
  team: null,
  visibility: 'PRIVATE',
  mark: 'zqnothingzq',
  organism: 'cake zqnothingzq',
  model: 'base zqnothingzq',
  corpus: 'corpus zqnothingzq',
  run: '0'.repeat(20),
  vector: `${'0'.repeat(20)}.L1.P0`,
  experiment: `${'0'.repeat(20)}.L1.P0.steering.fluency.${'0'.repeat(12)}`,
  job: '0'.repeat(20),
  agentRun: '0'.repeat(20),
  grader: 'judge-zqnothingzq',
  graderKey: `judge-zqnothingzq.${'0'.repeat(12)}`,
  notes: [0, 1, 2].map((i) => `00000000-0000-4000-8000-00000000000${i}`),
};

/** Where every query field leads: what asks for an island by it, and whether an answer is by keys, by lists, or by the job. */
const roots: Record<string, { by: 'key' | 'list' | 'job' | 'none'; ask: (island: Island) => string[] }> = {
  node: { by: 'key', ask: ({ run }) => [`node(id: "${idOf('Run', run)}") { id __typename }`] },
  nodes: {
    by: 'key',
    ask: ({ organism, model, corpus, run, vector }) => [
      `nodes(ids: ["${[
        idOf('Organism', organism),
        idOf('BaseModel', model),
        idOf('Corpus', corpus),
        idOf('Run', run),
        idOf('DiffVector', vector),
        idOf('Vector', `${vector}/diff`),
      ].join('", "')}"]) { id __typename }`,
    ],
  },
  organism: { by: 'key', ask: ({ organism }) => [`organism(name: "${organism}") { id latestRun { key } }`] },
  baseModel: {
    by: 'key',
    ask: ({ model }) => [`baseModel(name: "${model}") { id organisms { totalCount } }`],
  },
  corpus: { by: 'key', ask: ({ corpus }) => [`corpus(name: "${corpus}") { id runs { totalCount } }`] },
  run: { by: 'key', ask: ({ run }) => [`run(key: "${run}") { id organism { name } }`] },
  diffVector: { by: 'key', ask: ({ vector }) => [`diffVector(key: "${vector}") { id norm }`] },
  agentRun: { by: 'key', ask: ({ agentRun }) => [`agentRun(key: "${agentRun}") { id organism { name } }`] },
  agentRuns: { by: 'none', ask: () => [] },
  job: { by: 'job', ask: ({ job }) => [`job(key: "${job}") { id spec }`] },
  steeringExperiment: {
    by: 'key',
    ask: ({ experiment }) => [`steeringExperiment(key: "${experiment}") { id strength }`],
  },
  similarity: { by: 'key', ask: ({ vector }) => [`similarity(a: "${vector}", b: "${vector}")`] },
  compare: {
    by: 'key',
    ask: ({ organism, run }) => [
      `compare(a: "${organism}", b: "${organism}") { meanCosine }`,
      `compare(a: "${run}", b: "${run}") { a { key } places { a { key } } }`,
    ],
  },
  organisms: {
    by: 'list',
    ask: ({ organism, model, mark }) => [
      `organisms(where: { name: { eq: "${organism}" } }) { totalCount edges { node { name } } }`,
      `organisms(where: { baseModel: { contains: "${model}" } }) { totalCount }`,
      `organisms(where: { groundTruth: { startsWith: "${mark}" } }) { totalCount }`,
      `organisms(where: { topTokens: { text: "${mark}" } }, orderBy: [{ field: BASE_MODEL }]) { totalCount edges { cursor } }`,
      `organisms(kinds: ["${mark}"]) { totalCount }`,
    ],
  },
  baseModels: { by: 'none', ask: () => [] },
  corpora: { by: 'none', ask: () => [] },
  runs: {
    by: 'list',
    ask: ({ run, corpus, mark }) => [
      `runs(where: { key: { eq: "${run}" } }) { totalCount edges { node { key } } }`,
      `runs(where: { corpus: { eq: "${corpus}" } }) { totalCount }`,
      `runs(where: { organism: { kind: { eq: "${mark}" } } }) { totalCount }`,
    ],
  },
  diffVectors: {
    by: 'list',
    ask: ({ run, mark }) => [
      `diffVectors(where: { run: { key: { eq: "${run}" } } }) { totalCount edges { node { key } } }`,
      `diffVectors(where: { topTokens: { text: "${mark}" } }) { totalCount }`,
      `diffVectors(where: { run: { organism: { baseModel: { contains: "${mark}" } } } }) { totalCount }`,
    ],
  },
  projections: {
    by: 'list',
    ask: ({ run }) => [
      `projections(where: { diffVector: { run: { key: { eq: "${run}" } } } }) { totalCount edges { node { method } } }`,
      `projections(where: { diffVector: { run: { key: { eq: "${run}" } }, grades: { some: { value: { gte: 0.5 } } } } }) { totalCount }`,
    ],
  },
  grader: {
    by: 'key',
    ask: ({ grader, graderKey }) =>
      [grader, graderKey].map((name) => `grader(name: "${name}") { id name grades { totalCount } }`),
  },
  agentScoreTable: {
    by: 'key',
    ask: ({ grader }) => [`agentScoreTable(grader: "${grader}") { attempts count }`],
  },
  relevanceTable: { by: 'key', ask: ({ grader }) => [`relevanceTable(grader: "${grader}") { count }`] },
  graders: {
    by: 'list',
    ask: ({ grader }) => [
      `graders(where: { name: { eq: "${grader}" } }) { totalCount edges { node { key } } }`,
    ],
  },
  grades: {
    by: 'list',
    ask: ({ grader, mark, run }) => [
      `grades(where: { grader: { name: { eq: "${grader}" } } }) { totalCount edges { node { key } } }`,
      `grades(where: { organism: { kind: { eq: "${mark}" } } }) { totalCount }`,
      `grades(where: { projection: { diffVector: { run: { key: { eq: "${run}" } } } } }) { totalCount }`,
      `organisms(where: { grades: { some: { grader: { model: { contains: "${mark}" } } } } }) { totalCount }`,
      `diffVectors(where: { grades: { some: { organism: { groundTruth: { eq: "${mark}" } } } } }) { totalCount }`,
    ],
  },
  tokenSearch: {
    by: 'list',
    ask: ({ mark }) => [
      `tokenSearch(text: "${mark}") { totalCount edges { node { text } } }`,
      `tokenSearch(text: "${mark.slice(2)}", match: CONTAINS) { totalCount }`,
    ],
  },
  jobs: { by: 'none', ask: () => [] },
  viewer: { by: 'none', ask: () => [] },
  serviceConfig: { by: 'none', ask: () => [] },
};

/** What fields need that have arguments without a default. */
const required: Record<string, string> = {
  'Organism.relevance': '(grader: "offline-relevance")',
  'Run.layer': '(layer: 1)',
  'RunLayer.diffVector': '(position: 0)',
};

/** Every change: what would change an island, and the way to the error. Null: it makes something new, of places on the disk. */
const changes: Record<string, ((island: Island) => string) | null> = {
  organismUpdate: ({ organism }) => `{ name: "${organism}", description: "seized" }`,
  organismDelete: ({ organism }) => `{ name: "${organism}" }`,
  tagAdd: ({ run }) => `{ subject: "${idOf('Run', run)}", tag: "seized" }`,
  tagRemove: ({ organism, mark }) => `{ subject: "${idOf('Organism', organism)}", tag: "${mark}" }`,
  noteCreate: ({ vector }) => `{ subject: "${idOf('DiffVector', vector)}", text: "seized" }`,
  noteDelete: ({ notes }) => `{ id: "${idOf('Note', notes[1] as string)}" }`,
  visibilitySet: ({ model }) => `{ subject: "${idOf('BaseModel', model)}", visibility: PUBLIC }`,
  runStart: ({ organism, corpus }) => `{ organism: "${organism}", corpus: "${corpus}" }`,
  projectionStart: ({ run }) => `{ run: "${run}" }`,
  steeringStart: ({ run }) => `{ run: "${run}" }`,
  causalStart: ({ run, corpus }) => `{ run: "${run}", corpus: "${corpus}" }`,
  divergenceStart: ({ run }) => `{ run: "${run}" }`,
  componentsStart: ({ run }) => `{ run: "${run}" }`,
  jobCancel: ({ job }) => `{ key: "${job}" }`,
  modelCreate: null,
  organismCreate: null,
  corpusCreate: null,
};

// ---- what is asked of a node: all of it ----

const isNode = (type: unknown): type is GraphQLObjectType =>
  isObjectType(type) && type.getInterfaces().some(({ name }) => name === 'Node');
const nodeTypes = Object.values(schema.getTypeMap()).filter(isNode);
const covered = new Set<string>();

/** All fields of a type: other nodes by their id, everything else to the ground. */
function selection(type: GraphQLObjectType, isRoot = true): string {
  if (isNode(type) && !isRoot) return '{ __typename id }';
  const fields = Object.values(type.getFields()).map((field) => selected(type, field));
  return `{ __typename ${fields.join(' ')} }`;
}

function selected(type: GraphQLObjectType, field: GraphQLField<unknown, unknown>): string {
  const name = `${type.name}.${field.name}`;
  const open = field.args.filter((arg) => isNonNullType(arg.type) && arg.defaultValue === undefined);
  const given = required[name] ?? '';
  if (open.length > 0 && given === '')
    throw new Error(`${name} has required arguments and no line in this test`);
  covered.add(name);
  const inner = getNamedType(field.type);
  if (isObjectType(inner)) return `${field.name}${given} ${selection(inner, false)}`;
  if (isInterfaceType(inner) || isUnionType(inner)) return `${field.name}${given} { __typename }`;
  return `${field.name}${given}`;
}

const documentOf = (type: GraphQLObjectType): string =>
  `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on ${type.name} ${selection(type)} } }`;

// ---- the server and who asks it ----

let store: Store;
let islands: Island[];
let people: Person[];
let url: string;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'deltascope-visibility-'));
  store = openStore(join(folder, 'store.sqlite'));
  ({ islands, people } = seedIslands(store));
  const server = await listen(createServer({ store, graphiql: false, log: () => undefined }), { port: 0 });
  url = server.url;
  return async () => {
    await server.close();
    store.close();
    rmSync(folder, { recursive: true });
  };
});

async function ask(person: Person, query: string, variables = {}): Promise<string> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...person.headers },
    body: JSON.stringify({ query, variables }),
  });
  return response.text();
}

/** All fields of so many cost less than a stranger may ask: a search of neighbours is 500 points. */
const idsAtOnce = ({ name }: { name: string }): number => (name === 'DiffVector' ? 2 : 5);

const answers = new Map<string, string>();

/** What is asked of nothing, asked once by each. */
async function once(person: Person, query: string): Promise<string> {
  const name = `${person.name} ${query}`;
  const known = answers.get(name) ?? normal(await ask(person, query), nothing);
  answers.set(name, known);
  return known;
}

/** Without what differs between two requests that are answered alike: names and keys asked for, and the id of the request. */
function normal(text: string, island: Island): string {
  const names = [
    island.experiment,
    island.vector,
    island.run,
    island.job,
    island.agentRun,
    island.graderKey,
    island.organism,
    island.model,
    island.corpus,
    ...island.notes,
  ];
  return [...names, island.mark, island.mark.slice(2)]
    .reduce((rest, name) => rest.replaceAll(name, '…'), text)
    .replace(/"requestId":"[^"]*"/g, '"requestId":"…"');
}

const everyPair = (): [Person, Island][] =>
  people.flatMap((person) => islands.map((island) => [person, island] as [Person, Island]));
const strange = (person: Person) => islands.filter((island) => !sees(person, island));

/** Every id that an administrator finds by following every edge from every root. */
async function everyId(): Promise<Map<string, Set<string>>> {
  const admin = people.at(-1) as Person;
  const found = new Map(nodeTypes.map(({ name }) => [name, new Set<string>()]));
  const gather = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const { __typename: type, id } = value as { __typename?: string; id?: string };
    if (type !== undefined && id !== undefined) found.get(type)?.add(id);
    Object.values(value).forEach(gather);
  };
  for (const [type, keys] of [
    ['Organism', islands.map(({ organism }) => organism)],
    ['Job', islands.map(({ job }) => job)],
  ] as const)
    for (const key of keys) found.get(type)?.add(idOf(type, key));
  const asked = new Set<string>();
  for (let grew = true; grew;) {
    grew = false;
    for (const type of nodeTypes) {
      const fresh = [...(found.get(type.name) ?? [])].filter((id) => !asked.has(id));
      for (let from = 0; from < fresh.length; from += idsAtOnce(type)) {
        const ids = fresh.slice(from, from + idsAtOnce(type));
        const { data, errors } = JSON.parse(await ask(admin, documentOf(type), { ids })) as {
          data: { nodes: unknown[] };
          errors?: unknown;
        };
        expect(errors, type.name).toBeUndefined();
        gather(data);
        ids.forEach((id) => asked.add(id));
        grew = true;
      }
    }
  }
  return found;
}

const islandOf = (id: string): Island => {
  const key = Buffer.from(id, 'base64')
    .toString()
    .replace(/^[^:]*:/, '');
  const found = islands.find(
    ({ visibility, organism, model, corpus, run, job, agentRun, notes, graderKey }) =>
      [organism, model, corpus, job, graderKey, ...notes].includes(key) ||
      key.startsWith(run) ||
      key.startsWith(agentRun) ||
      // All have this one; whoever sees anything of it sees it.
      (key.startsWith('offline-relevance.') && visibility === 'PUBLIC'),
  );
  if (!found) throw new Error(`whose is ${key}?`);
  return found;
};

describe('who sees what', () => {
  it('has a line for every way into the graph', () => {
    expect(Object.keys(roots).sort()).toEqual(Object.keys(schema.getQueryType()?.getFields() ?? {}).sort());
    expect(Object.keys(changes).sort()).toEqual(
      Object.keys(schema.getMutationType()?.getFields() ?? {}).sort(),
    );
    expect(Object.keys(schema.getSubscriptionType()?.getFields() ?? {})).toEqual([
      'agentRunProgress',
      'jobProgress',
    ]);
  });

  it('shows every node, by all its fields, to whom it is shared with, and to nobody else that it exists', async () => {
    const ids = await everyId();
    for (const [type, known] of ids) expect(known.size, type).toBeGreaterThanOrEqual(islands.length);
    const ghosts = new Map(nodeTypes.map((type) => [type.name, idOf(type.name, 'zqnothingzq')]));
    for (const person of people) {
      const hidden = strange(person);
      for (const type of nodeTypes) {
        const query = documentOf(type);
        const all = [...(ids.get(type.name) ?? [])];
        for (let from = 0; from < all.length; from += idsAtOnce(type)) {
          const part = all.slice(from, from + idsAtOnce(type));
          const text = await ask(person, query, { ids: part });
          const { data, errors } = JSON.parse(text) as { data: { nodes: unknown[] }; errors?: unknown };
          expect(errors, `${person.name}: ${type.name}`).toBeUndefined();
          part.forEach((id, i) => {
            const island = islandOf(id);
            const expected = type.name === 'Job' ? seesJob(person, island) : sees(person, island);
            expect(data.nodes[i] !== null, `${person.name}: ${type.name} of ${island.mark}`).toBe(expected);
          });
          for (const { mark, run, job } of hidden)
            for (const secret of [mark, run, job])
              expect(text.includes(secret), `${person.name} learns ${mark} from ${type.name}`).toBe(false);
        }
        const none = await ask(person, query, { ids: [ghosts.get(type.name)] });
        for (const id of all.filter((each) => !sees(person, islandOf(each))).slice(0, 8))
          expect(await ask(person, query, { ids: [id] })).toBe(none);
      }
    }
  }, 300_000);

  it('has asked every field of every type that a node leads to', () => {
    const reachable = new Set<string>();
    const visit = (type: GraphQLObjectType): void => {
      if (reachable.has(type.name)) return;
      reachable.add(type.name);
      for (const field of Object.values(type.getFields())) {
        const inner = getNamedType(field.type);
        if (isObjectType(inner)) visit(inner);
      }
    };
    nodeTypes.forEach(visit);
    const missing = [...reachable].flatMap((name) =>
      Object.keys((schema.getType(name) as GraphQLObjectType).getFields())
        .map((field) => `${name}.${field}`)
        .filter((field) => !covered.has(field)),
    );
    expect(missing).toEqual([]);
  });

  it('answers by key and by condition as if what is hidden were not there', async () => {
    for (const [person, island] of everyPair()) {
      for (const [name, { by, ask: ways }] of Object.entries(roots)) {
        const seen = { key: sees, list: lists, job: seesJob, none: sees }[by](person, island);
        const [real, ghost] = [ways(island), ways(nothing)];
        for (const [i, way] of real.entries()) {
          const text = normal(await ask(person, `{ ${way} }`), island);
          const none = await once(person, `{ ${ghost[i]} }`);
          if (seen) expect(text, `${person.name}: ${name} of ${island.mark}`).not.toBe(none);
          else expect(text, `${person.name}: ${name} of ${island.mark}`).toBe(none);
        }
      }
    }
  }, 300_000);

  it('lists and counts what may be listed', async () => {
    for (const person of people) {
      const listed = islands.filter((island) => lists(person, island));
      const text = await ask(
        person,
        `{ organisms(first: 200) { totalCount edges { node { name } } } baseModels(first: 200) { totalCount edges { node { name } } }
           corpora(first: 200) { totalCount edges { node { name } } } runs(first: 200) { totalCount edges { node { key } } }
           agentRuns(first: 200) { totalCount edges { node { key } } } diffVectors(first: 200) { totalCount } graders(first: 200) { totalCount edges { node { key } } }
           grades(first: 200) { totalCount edges { node { key } } } jobs(first: 200) { totalCount edges { node { key } } } }`,
      );
      type List = { totalCount: number; edges: { node: { name?: string; key?: string } }[] };
      const { data } = JSON.parse(text) as { data: Record<string, List> };
      const names = (field: string) => data[field]?.edges.map(({ node }) => node.name ?? node.key).sort();
      const expected = (of: (island: Island) => string, those = listed) => those.map(of).sort();
      expect(names('organisms'), person.name).toEqual(expected(({ organism }) => organism));
      expect(names('baseModels'), person.name).toEqual(expected(({ model }) => model));
      expect(names('corpora'), person.name).toEqual(expected(({ corpus }) => corpus));
      expect(names('runs'), person.name).toEqual(expected(({ run }) => run));
      expect(names('agentRuns'), person.name).toEqual(expected(({ agentRun }) => agentRun));
      const shared = await ask(person, '{ grader(name: "offline-relevance") { key grades { totalCount } } }');
      const { grader: offline } = (
        JSON.parse(shared) as { data: Record<string, { key: string; grades: List }> }
      ).data;
      expect(names('graders'), person.name).toEqual(
        [...listed.map(({ graderKey }) => graderKey), offline!.key].sort(),
      );
      expect(offline!.grades.totalCount).toBe(listed.length);
      expect(data['grades']?.totalCount).toBe(2 * listed.length);
      expect(names('jobs'), person.name).toEqual(
        expected(
          ({ job }) => job,
          islands.filter((island) => seesJob(person, island)),
        ),
      );
      for (const field of ['organisms', 'baseModels', 'corpora', 'runs', 'agentRuns'])
        expect(data[field]?.totalCount).toBe(listed.length);
      expect(data['diffVectors']?.totalCount).toBe(3 * listed.length);
    }
  });

  it('reckons with what may be listed', async () => {
    for (const person of people) {
      const text = await ask(
        person,
        '{ relevanceTable(grader: "offline-relevance", groupBy: []) { count members { organism { name } } } }',
      );
      const { relevanceTable } = (
        JSON.parse(text) as {
          data: { relevanceTable: { count: number; members: { organism: { name: string } }[] }[] };
        }
      ).data;
      const expected = islands.filter((island) => lists(person, island)).map(({ organism }) => organism);
      expect(relevanceTable[0]?.members.map(({ organism }) => organism.name)).toEqual(expected.sort());
      expect(relevanceTable[0]?.count).toBe(expected.length);
      const { agentScoreTable } = (
        JSON.parse(await ask(person, '{ agentScoreTable { attempts } }')) as {
          data: { agentScoreTable: { attempts: number }[] };
        }
      ).data;
      expect(agentScoreTable.reduce((sum, { attempts }) => sum + attempts, 0)).toBe(expected.length);
    }
  });

  it('lets nobody change what belongs to others, and says no more than that', async () => {
    for (const [person, island] of everyPair()) {
      if (owns(person, island)) continue;
      for (const [name, inputOf] of Object.entries(changes)) {
        if (!inputOf) continue;
        const mutation = (on: Island) =>
          `mutation { ${name}(input: ${inputOf(on)}) { userErrors { code message } } }`;
        const text = normal(await ask(person, mutation(island)), island);
        const none = await once(person, mutation(nothing));
        const what = `${person.name}: ${name} of ${island.mark}`;
        if (person.name === 'anonymous') {
          expect(text, what).toContain('"code":"UNAUTHENTICATED"');
          expect(text, what).toBe(none);
        } else if (sees(person, island) && name !== 'jobCancel') {
          expect(text, what).toContain('"code":"FORBIDDEN"');
        } else expect(text, what).toBe(none);
      }
    }
  }, 300_000);

  it('serves files, batches and events as if what is hidden were not there', async () => {
    const take = async (person: Person, path: string, init: RequestInit = {}) => {
      const headers = { ...person.headers, ...(init.headers as Record<string, string>) };
      const response = await fetch(`${url}${path}`, { ...init, headers });
      const kept = [...response.headers].filter(
        // What is left to a stranger is less after each of them.
        ([name]) => !['x-request-id', 'date', 'content-length', 'ratelimit'].includes(name),
      );
      // Events of a job that waits do not end; the head is enough.
      const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
      const body = isStream ? '' : await response.text();
      if (isStream) await response.body?.cancel();
      return { status: response.status, text: JSON.stringify([response.status, kept, body]) };
    };
    const post = (keys: string[]): RequestInit => ({
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ keys }),
    });
    const ways: [string, typeof sees, (island: Island) => [path: string, init?: RequestInit]][] = [
      ['a vector', sees, ({ vector }) => [`/v1/vectors/${vector}/diff`]],
      ['a file of it', sees, ({ vector }) => [`/v1/vectors/${vector}/diff.npy?sha256=x`]],
      ['a run', sees, ({ run }) => [`/v1/runs/${run}.safetensors`]],
      ['a batch', sees, ({ vector }) => ['/v1/vectors:batch', post([`${vector}/diff`])]],
      ['events', seesJob, ({ job }) => [`/v1/jobs/${job}/events`]],
    ];
    for (const [person, island] of everyPair()) {
      for (const [name, seen, way] of ways) {
        const { status, text } = await take(person, ...way(island));
        const none = await take(person, ...way(nothing));
        expect(none.status).toBe(404);
        const what = `${person.name}: ${name} of ${island.mark}`;
        if (!seen(person, island)) expect(normal(text, island), what).toBe(normal(none.text, nothing));
        else if (name !== 'a file of it') expect(status, what).toBe(200);
      }
    }
  }, 300_000);

  it('tells events of a job to who sees it', async () => {
    const listen = async (person: Person, key: string): Promise<string> => {
      const end = new AbortController();
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        signal: end.signal,
        headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream', ...person.headers },
        body: JSON.stringify({ query: `subscription { jobProgress(id: "${idOf('Job', key)}") { state } }` }),
      });
      let text = '';
      for await (const chunk of response.body ?? []) {
        text += Buffer.from(chunk).toString();
        if (text.includes('QUEUED') || text.includes('complete')) break;
      }
      end.abort();
      if (!text.includes('RATE_LIMITED')) return text;
      await sleep(200); // a stream that was left ends within a poll
      return listen(person, key);
    };
    for (const [person, island] of everyPair()) {
      const text = await listen(person, island.job);
      if (seesJob(person, island)) expect(text).toContain('QUEUED');
      else expect(text).toBe(await listen(person, nothing.job));
    }
  }, 120_000);

  it('tells messages of an agent run to who sees it', async () => {
    const listen = async (person: Person, key: string): Promise<string> => {
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream', ...person.headers },
        body: JSON.stringify({
          query: `subscription { agentRunProgress(id: "${idOf('AgentRun', key)}") { number content } }`,
        }),
      });
      return response.text(); // it has ended, and so does the stream
    };
    for (const [person, island] of everyPair()) {
      const text = await listen(person, island.agentRun);
      if (sees(person, island)) expect(text).toContain(`Find it out: ${island.mark}`);
      else expect(text).toBe(await listen(person, nothing.agentRun));
    }
  }, 120_000);
});
