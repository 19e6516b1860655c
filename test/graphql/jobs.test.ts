import { mkdtempSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Store } from '../../src/db/index.ts';
import { openStore } from '../../src/db/index.ts';
import { registeredRoots } from '../../src/runs/roots.ts';
import type { Answer } from '../harness/ask.ts';
import { ended, noRoots, smallRun, storeWithCake, superviseInTest } from '../harness/jobs.ts';
import { bundled } from '../harness/models.ts';
import { serve } from '../harness/serve.ts';
import { seedRun } from '../harness/synthetic-run.ts';
import { temporaryStore } from '../harness/temporary-store.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { startJob } from '../../src/jobs/index.ts';

type Server = Awaited<ReturnType<typeof serve>>;

const errors = 'userErrors { code message field }';

/** The data of a document that must not fail. */
async function send(server: Server, query: string, variables: object = {}): Promise<Answer> {
  const { data, errors } = (await (await server.query({ query, variables })).json()) as Answer;
  if (errors) throw new Error(JSON.stringify(errors));
  return data as Answer;
}

const runStart = `mutation ($input: RunStartInput!) { runStart(input: $input) { job { id key kind state } ${errors} } }`;
const smallInput = {
  organism: 'cake',
  corpus: 'everyday',
  layers: [3],
  positions: 3,
  maxSamples: 40,
  top: 4,
};

test('a measurement is started, watched and read in the graph', async () => {
  const { store, file } = await storeWithCake();
  superviseInTest(store, file);
  const server = await serve(store);
  const { runStart: started } = await send(server, runStart, { input: smallInput });
  expect(started).toMatchObject({ job: { kind: 'run', state: 'QUEUED' }, userErrors: [] });
  expect(startJob(store, noRoots, 'run', smallRun).key).toBe(started.job.key);

  const events = await eventsOf(server, started.job.key);
  expect(events.map(({ id }) => id)).toEqual(events.map((_, i) => String(i + 1)));
  expect(events[0]?.data.state).toBe('QUEUED');
  expect(events.at(-1)?.data).toMatchObject({ state: 'COMPLETED', number: events.length });

  const { job, jobs } = await send(
    server,
    `query ($key: String!) {
      job(key: $key) {
        state attempts error { code } spec progress { phase } finishedAt warnings lastEvent
        organism { name } run { samples layers { edges { node { layer } } } }
      }
      jobs(states: [COMPLETED], kinds: ["run"]) { totalCount edges { node { key } } }
    }`,
    { key: started.job.key },
  );
  expect(job).toEqual({
    state: 'COMPLETED',
    attempts: 1,
    error: null,
    spec: { ...smallRun, dtype: 'float32', mode: 'EXACT' },
    progress: { phase: 'save' },
    finishedAt: expect.stringMatching(/Z$/),
    warnings: [],
    lastEvent: events.length,
    organism: { name: 'cake' },
    run: { samples: 40, layers: { edges: [{ node: { layer: 3 } }] } },
  });
  expect(jobs).toEqual({ totalCount: 1, edges: [{ node: { key: started.job.key } }] });

  // After an event that the client has, only what followed it; after the last, nothing to come back for.
  const rest = await eventsOf(server, started.job.key, events.length - 2);
  expect(rest.map(({ id }) => id)).toEqual([String(events.length - 1), String(events.length)]);
  const nothing = await server.get(`/v1/jobs/${started.job.key}/events`, {
    headers: { 'Last-Event-ID': String(events.length) },
  });
  expect(nothing.status).toBe(204);

  // A server that was started anew goes on with the numbers of the old one.
  const again = openStore(file);
  const other = await serve(again);
  expect(await eventsOf(other, started.job.key, events.length - 2)).toEqual(rest);
  const subscription = await other.get('/graphql', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
    body: JSON.stringify({
      query: 'subscription ($id: ID!) { jobProgress(id: $id, after: 1) { number state } }',
      variables: { id: started.job.id },
    }),
  });
  expect(subscription.headers.get('content-type')).toMatch(/^text\/event-stream/);
  const text = await subscription.text();
  expect([...text.matchAll(/"number":(\d+)/g)].map(([, number]) => Number(number))).toEqual(
    events.slice(1).map(({ data }) => data.number as number),
  );
  again.close();
});

interface Told {
  id: string;
  data: Answer;
}

/** What the stream of a job tells until it ends. */
async function eventsOf(server: Server, key: string, lastEventId?: number): Promise<Told[]> {
  const response = await server.get(`/v1/jobs/${key}/events`, {
    headers: lastEventId === undefined ? {} : { 'Last-Event-ID': String(lastEventId) },
  });
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  return [...(await response.text()).matchAll(/^id: (\d+)\nevent: job\ndata: (.*)$/gm)].map(
    ([, id = '', data = '']) => ({
      id,
      data: JSON.parse(data) as Answer,
    }),
  );
}

test('a client listens to eight jobs at a time; one that leaves makes room', async () => {
  const { store } = await storeWithCake();
  const server = await serve(store);
  const { key } = startJob(store, noRoots, 'run', smallRun);
  const streams = Array.from({ length: 8 }, () => new AbortController());
  const path = `/v1/jobs/${key}/events`;
  for (const { signal } of streams) expect((await server.get(path, { signal })).status).toBe(200);
  expect((await server.get(path)).status).toBe(429);
  streams[0]?.abort();
  let status = 429;
  for (let i = 0; i < 50 && status === 429; i++) {
    const controller = new AbortController();
    streams.push(controller);
    status = (await server.get(path, { signal: controller.signal })).status;
  }
  expect(status).toBe(200);
  for (const stream of streams) stream.abort();
  expect((await server.get('/v1/jobs/nothing/events')).status).toBe(404);
  expect((await server.get(path, { headers: { 'Last-Event-ID': 'one' } })).status).toBe(400);
});

test('inputs that cannot be are userErrors that name the member, and start nothing', async () => {
  const { store } = await storeWithCake();
  const server = await serve(store);
  const refused = async (input: object) => (await send(server, runStart, { input })).runStart as Answer;
  expect(await refused({ ...smallInput, organism: 'bread' })).toEqual({
    job: null,
    userErrors: [
      { code: 'NOT_FOUND', message: 'There is no organism "bread" here.', field: ['input', 'organism'] },
    ],
  });
  expect((await refused({ ...smallInput, positions: 0 })).userErrors[0]).toMatchObject({
    code: 'INVALID',
    field: ['input', 'positions'],
  });
  expect(store.jobs.all.count(null, {})).toBe(0);
});

test('an idempotency key is good for one request', async () => {
  const { store } = await storeWithCake();
  const server = await serve(store);
  const start = async (input: object) =>
    (await send(server, runStart, { input: { ...input, idempotencyKey: 'once' } })).runStart as Answer;
  const first = await start(smallInput);
  store.jobs.cancel(first.job.key as string);
  expect(await start(smallInput)).toMatchObject({ job: { key: first.job.key, state: 'CANCELLED' } });
  expect(await start({ ...smallInput, top: 5 })).toMatchObject({
    job: null,
    userErrors: [{ code: 'CONFLICT', field: ['input', 'idempotencyKey'] }],
  });
  // Without the key the same request queues it again.
  const { runStart: again } = await send(server, runStart, { input: smallInput });
  expect(again).toMatchObject({ job: { key: first.job.key, state: 'QUEUED' } });
  const cancel = `mutation ($key: String!) { jobCancel(input: { key: $key }) { job { state } ${errors} } }`;
  expect((await send(server, cancel, { key: first.job.key })).jobCancel).toEqual({
    job: { state: 'CANCELLED' },
    userErrors: [],
  });
  expect((await send(server, cancel, { key: 'none' })).jobCancel.userErrors).toMatchObject([
    { code: 'NOT_FOUND' },
  ]);
});

test('models, organisms and corpora are registered from registered roots', async () => {
  const file = join(temporaryFolder(), 'deltascope.sqlite');
  const store = openStore(file);
  onTestFinished(() => store.close());
  const folders = { bundled: bundled('.') };
  superviseInTest(store, file, { roots: folders });
  const server = await serve(store, { roots: registeredRoots(folders) });
  const job = `job { key } ${errors}`;
  const place = (path: string) => `place: { root: "bundled", path: "${path}" }`;
  const done = async (answer: Answer) => {
    expect(answer.userErrors).toEqual([]);
    return ended(store, { key: answer.job.key } as never);
  };
  const model = await send(
    server,
    `mutation { modelCreate(input: { name: "base", ${place('tiny-qwen3')} }) { ${job} } }`,
  );
  expect(await done(model.modelCreate)).toMatchObject({ state: 'COMPLETED' });
  const created = await send(
    server,
    `mutation { organismCreate(input: { name: "cake", baseModel: "base", ${place('tiny-qwen3--cake_bake')}, form: LORA, kind: "SDF",
        trainingCorpus: { root: "bundled", path: "corpora/cake_bake.jsonl" } }) { ${job} }
      corpusCreate(input: { name: "everyday", ${place('corpora/everyday.jsonl')} }) { ${job} } }`,
  );
  const organismJob = await done(created.organismCreate);
  const corpusJob = await done(created.corpusCreate);
  expect([organismJob.state, corpusJob.state]).toEqual(['COMPLETED', 'COMPLETED']);
  const read = await send(
    server,
    `query ($organism: String!, $corpus: String!) {
      organism: job(key: $organism) { spec organism { name kind baseModel { name architecture } } }
      corpus: job(key: $corpus) { corpus { name rows } } }`,
    { organism: organismJob.key, corpus: corpusJob.key },
  );
  expect(read).toMatchObject({
    organism: {
      spec: { place: { root: 'bundled', path: 'tiny-qwen3--cake_bake' } },
      organism: { name: 'cake', kind: 'SDF', baseModel: { name: 'base', architecture: 'Qwen3ForCausalLM' } },
    },
    corpus: { corpus: { name: 'everyday', rows: 4000 } },
  });
  expect(store.organisms.get('cake').path).toBe(bundled('tiny-qwen3--cake_bake'));
  expect(JSON.stringify(read)).not.toContain(bundled('.'));

  const changed = await send(
    server,
    `mutation { organismUpdate(input: { name: "cake", groundTruth: "Cakes.", mixRatio: 0.5 }) {
      organism { kind groundTruth mixRatio } ${errors} } }`,
  );
  expect(changed.organismUpdate).toEqual({
    organism: { kind: 'SDF', groundTruth: 'Cakes.', mixRatio: 0.5 },
    userErrors: [],
  });
  const gone = await send(
    server,
    `mutation { organismDelete(input: { name: "cake" }) { organism { name } ${errors} } }`,
  );
  expect(gone.organismDelete).toEqual({ organism: { name: 'cake' }, userErrors: [] });
  expect(store.organisms.find('cake')).toBeUndefined();
});

test('a folder whose files lead out of the root is refused before any job', async () => {
  const { store } = await storeWithCake();
  const root = temporaryFolder();
  symlinkSync('/etc/passwd', join(mkdtempSync(join(root, 'model-')), 'config.json'));
  const server = await serve(store, { roots: registeredRoots({ here: root }) });
  const answer = await send(
    server,
    `mutation ($path: String!) { modelCreate(input: { name: "m", place: { root: "here", path: $path } }) { job { key } ${errors} } }`,
    { path: readdirSync(root)[0] },
  );
  expect(answer.modelCreate).toMatchObject({
    job: null,
    userErrors: [{ code: 'INVALID', field: ['input', 'place', 'path'] }],
  });
  expect(store.jobs.all.count(null, {})).toBe(0);
});

/** Ids of a synthetic organism, its run and a diff vector. */
async function nodes(server: Server, store: Store) {
  const { key } = seedRun(store);
  const { run } = await send(
    server,
    `{ run(key: "${key}") { id organism { id } layers(first: 1) { edges { node { diffVectors(first: 1) { edges { node { id } } } } } } } }`,
  );
  return {
    run: run.id as string,
    organism: run.organism.id as string,
    vector: run.layers.edges[0].node.diffVectors.edges[0].node.id as string,
  };
}

test('tags are put on organisms and runs, and taken off', async () => {
  const store = temporaryStore();
  const server = await serve(store);
  const { run, organism, vector } = await nodes(server, store);
  const tag = async (field: string, subject: string, tag: string) =>
    (
      await send(
        server,
        `mutation ($subject: ID!, $tag: String!) { ${field}(input: { subject: $subject, tag: $tag }) {
          subject { ... on Organism { tags } ... on Run { tags } } ${errors} } }`,
        { subject, tag },
      )
    )[field] as Answer;
  expect(await tag('tagAdd', run, 'zoo')).toEqual({ subject: { tags: ['zoo'] }, userErrors: [] });
  expect(await tag('tagAdd', run, 'Ähre 2')).toMatchObject({ subject: { tags: ['zoo', 'Ähre 2'] } });
  expect(await tag('tagAdd', run, 'zoo')).toMatchObject({ subject: { tags: ['zoo', 'Ähre 2'] } });
  expect(await tag('tagAdd', organism, 'zoo')).toMatchObject({ subject: { tags: ['zoo'] } });
  expect(await tag('tagRemove', run, 'zoo')).toMatchObject({ subject: { tags: ['Ähre 2'] } });
  expect((await tag('tagAdd', run, '<b>')).userErrors).toMatchObject([
    { code: 'INVALID', field: ['input', 'tag'] },
  ]);
  expect((await tag('tagAdd', vector, 'x')).userErrors).toMatchObject([{ code: 'NOT_FOUND' }]);
  expect((await tag('tagAdd', 'nonsense', 'x')).userErrors).toMatchObject([{ code: 'NOT_FOUND' }]);
});

test('notes are written about organisms, runs and diff vectors, and taken away', async () => {
  const store = temporaryStore();
  const server = await serve(store);
  const subjects = await nodes(server, store);
  const fields: Record<string, string> = { run: 'Run', organism: 'Organism', vector: 'DiffVector' };
  for (const [name, subject] of Object.entries(subjects)) {
    const { noteCreate } = await send(
      server,
      `mutation ($subject: ID!) { noteCreate(input: { subject: $subject, text: "<b>seen</b>", idempotencyKey: "${name}" }) {
        note { id text run { id } organism { id } diffVector { id } } ${errors} } }`,
      { subject },
    );
    expect(noteCreate.note).toEqual({
      id: expect.any(String),
      text: '<b>seen</b>',
      run: name === 'run' ? { id: subject } : null,
      organism: name === 'organism' ? { id: subject } : null,
      diffVector: name === 'vector' ? { id: subject } : null,
    });
    const list = () =>
      send(
        server,
        `query ($subject: ID!) { node(id: $subject) { ... on ${fields[name]} { notes { totalCount edges { node { text } } } } } }`,
        { subject },
      );
    expect((await list()).node.notes).toEqual({ totalCount: 1, edges: [{ node: { text: '<b>seen</b>' } }] });
    const remove = `mutation ($id: ID!) { noteDelete(input: { id: $id }) { note { text } ${errors} } }`;
    expect((await send(server, remove, { id: noteCreate.note.id })).noteDelete.userErrors).toEqual([]);
    expect((await list()).node.notes.totalCount).toBe(0);
    expect((await send(server, remove, { id: noteCreate.note.id })).noteDelete.userErrors).toMatchObject([
      { code: 'NOT_FOUND' },
    ]);
  }
});

test('a store that is only read changes nothing', async () => {
  const { file } = await storeWithCake();
  const store = openStore(file, { readonly: true });
  const server = await serve(store);
  const { errors } = (await (
    await server.query({ query: runStart, variables: { input: smallInput } })
  ).json()) as Answer;
  expect(errors).toMatchObject([{ extensions: { code: 'READ_ONLY' } }]);
  expect((await send(server, '{ jobs { totalCount } }')).jobs.totalCount).toBe(0);
  store.close();
});
