import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import BetterSqlite3 from 'better-sqlite3';
import { openStore, type Store } from '../../src/db/index.ts';
import { canonicalJson, type JsonValue } from '../../src/lib/canonical-json.ts';
import { sha256 } from '../../src/lib/sha256.ts';
import { addCorpus } from '../../src/runs/corpus.ts';
import { addOrganism } from '../../src/runs/organism.ts';
import { bundled } from '../harness/models.ts';
import { random } from '../harness/random.ts';

export interface Campaign {
  /** An empty folder. */
  folder: string;
  kills: number;
  seed: number;
  log?: (line: string) => void;
}

export interface Outcome {
  kills: { server: number; engine: number };
  /** Requests that were answered, and those that had to be sent again because the answer never came. */
  acknowledged: { jobs: number; notes: number };
  resent: number;
  /** Jobs that an engine had begun when it or its server was killed. */
  interrupted: number;
  /** What was not as it must be. */
  wrong: string[];
}

const organisms = ['cake_bake', 'roman_concrete', 'extreme_sports'];

/** Registers what is measured, in a new store. */
async function prepare(file: string): Promise<void> {
  const store = openStore(file);
  for (const name of organisms) {
    await addOrganism(store, {
      name,
      base: bundled('tiny-qwen3'),
      baseName: 'tiny-qwen3',
      path: bundled(`tiny-qwen3--${name}`),
      form: 'LORA',
      kind: 'SDF',
      description: '',
    });
  }
  await addCorpus(store, { name: 'everyday', path: bundled('corpora/everyday.jsonl'), textColumn: 'text' });
  store.close();
}

interface Told {
  port?: number;
  engine?: number | null;
}

/** A server in a process of its own, until it is killed. */
class ServerProcess {
  child: ChildProcess | undefined;
  port = 0;
  engine: number | null = null;
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  async start(): Promise<void> {
    this.engine = null;
    const child = fork(
      fileURLToPath(new URL('server.ts', import.meta.url)),
      [this.#file, String(this.port)],
      {
        execArgv: [],
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      },
    );
    this.child = child;
    child.on('message', ({ port, engine }: Told) => {
      if (port !== undefined) this.port = port;
      if (engine !== undefined) this.engine = engine;
    });
    await once(child, 'message');
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
}

/** Kills server and engine at random moments while clients ask for jobs and write notes, then looks whether anything is missing. */
export async function campaign({ folder, kills, seed, log = () => undefined }: Campaign): Promise<Outcome> {
  const file = join(folder, 'disturbed.sqlite');
  await prepare(file);
  const server = new ServerProcess(file);
  await server.start();
  const next = random(seed);

  const acknowledged = { jobs: new Map<string, object>(), notes: new Set<string>() };
  let resent = 0;
  let over = false;

  /** Sends a mutation until it is answered. */
  async function send(
    query: string,
    input: object,
  ): Promise<{ data?: Record<string, never>; errors?: unknown }> {
    for (;;) {
      try {
        const response = await fetch(`http://127.0.0.1:${server.port}/graphql`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ query, variables: { input } }),
          signal: AbortSignal.timeout(10_000),
        });
        return (await response.json()) as { data?: Record<string, never>; errors?: unknown };
      } catch {
        resent += 1;
        await sleep(20);
      }
    }
  }

  const wrong: string[] = [];
  async function askForJobs(): Promise<void> {
    for (let i = 0; !over; i++) {
      // Few enough wait that most kills meet one under way, many enough that there is always one.
      const input = {
        organism: organisms[i % organisms.length],
        corpus: 'everyday',
        layers: [i % 8],
        positions: 6 + (i % 5),
        maxSamples: 1500 + i,
        top: 4,
      };
      const answer = await send(
        'mutation ($input: RunStartInput!) { runStart(input: $input) { job { key } userErrors { message } } }',
        { ...input, idempotencyKey: `job ${i}` },
      );
      const job = (answer.data?.['runStart'] as { job?: { key: string } } | undefined)?.job;
      if (job) acknowledged.jobs.set(job.key, input);
      else wrong.push(`a job was refused: ${JSON.stringify(answer)}`);
      await sleep(600 + 400 * next());
    }
  }
  async function writeNotes(subject: string): Promise<void> {
    for (let i = 0; !over; i++) {
      const text = `note ${i}`;
      const answer = await send(
        'mutation ($input: NoteCreateInput!) { noteCreate(input: $input) { note { id } userErrors { message } } }',
        { subject, text, idempotencyKey: text },
      );
      if ((answer.data?.['noteCreate'] as { note?: object } | undefined)?.note) acknowledged.notes.add(text);
      else wrong.push(`a note was refused: ${JSON.stringify(answer)}`);
      await sleep(20 * next());
    }
  }

  const clients = [askForJobs(), writeNotes(Buffer.from('Organism:cake_bake').toString('base64'))];
  const killed = { server: 0, engine: 0 };
  while (killed.server + killed.engine < kills) {
    await sleep(900 * next());
    if (next() < 0.4) {
      await server.kill();
      killed.server += 1;
      await server.start();
    } else if (server.engine !== null) {
      const pid = server.engine;
      try {
        process.kill(pid, 'SIGKILL');
        killed.engine += 1;
      } catch {
        // it has just ended
      }
      if (server.engine === pid) server.engine = null;
    }
    const done = killed.server + killed.engine;
    if (done % 20 === 0)
      log(`${done} kills, ${acknowledged.jobs.size} jobs and ${acknowledged.notes.size} notes asked for`);
  }
  over = true;
  await Promise.all(clients);

  const store = openStore(file);
  const waiting = () => store.jobs.count('QUEUED') + store.jobs.count('RUNNING');
  for (let seconds = 0; waiting() > 0; seconds++) {
    if (seconds > 600) {
      wrong.push(`${waiting()} jobs have not ended in 600 s`);
      break;
    }
    await sleep(1000);
  }
  await server.kill('SIGTERM');
  log('all jobs have ended; the same ones are measured undisturbed');

  const events = new BetterSqlite3(file, { readonly: true });
  const count = (sql: string, ...given: unknown[]) =>
    events
      .prepare(sql)
      .pluck()
      .get(...given) as number;
  const integrity = events.pragma('integrity_check', { simple: true });
  if (integrity !== 'ok') wrong.push(`integrity_check says ${String(integrity)}`);
  if ((events.pragma('foreign_key_check') as unknown[]).length > 0) wrong.push('foreign keys lead nowhere');
  for (const text of acknowledged.notes) {
    const there = count('select count(*) from notes where text = ?', text);
    if (there !== 1) wrong.push(`"${text}" is there ${there} times`);
  }
  for (const key of acknowledged.jobs.keys()) {
    const job = store.jobs.findByKey(key);
    const ends = job
      ? count(
          "select count(*) from job_events where job_id = ? and state in ('COMPLETED', 'ERROR', 'CANCELLED')",
          job.id,
        )
      : 0;
    if (job?.state !== 'COMPLETED' || ends !== 1)
      wrong.push(`job ${key} is ${job?.state} with ${ends} ends: ${job?.errorMessage}`);
  }
  const interrupted = count("select count(*) from job_events where state = 'QUEUED' and number > 1");
  events.close();

  await compare(store, join(folder, 'undisturbed.sqlite'), acknowledged.jobs, wrong);
  store.close();
  return {
    kills: killed,
    acknowledged: { jobs: acknowledged.jobs.size, notes: acknowledged.notes.size },
    resent,
    interrupted,
    wrong,
  };
}

/** Measures the same in this process, without jobs or kills, and compares all that is stored of it. */
async function compare(
  disturbed: Store,
  file: string,
  jobs: ReadonlyMap<string, object>,
  wrong: string[],
): Promise<void> {
  await prepare(file);
  const store = openStore(file);
  const { measure } = await import('../../src/runs/measure.ts');
  for (const [key, input] of jobs) {
    const { organism, layers, positions, maxSamples, top } = input as {
      organism: string;
      layers: number[];
      positions: number;
      maxSamples: number;
      top: number;
    };
    const corpus = store.corpora.get('everyday');
    const { run } = await measure(store, store.organisms.get(organism), {
      corpus: { name: corpus.name, file: corpus.path, textColumn: corpus.textColumn },
      layers: () => layers,
      positions,
      maxSamples,
      top,
      threads: 1,
    });
    const runKey = (disturbed.jobs.findByKey(key)?.result as { run?: string } | null)?.run;
    if (runKey !== run.key) {
      wrong.push(`job ${key} made ${runKey}, undisturbed it is ${run.key}`);
      continue;
    }
    const [one, other] = [contentOf(disturbed, run.key), contentOf(store, run.key)];
    if (one !== other) wrong.push(`run ${run.key} differs from the undisturbed one`);
  }
  const [there, asked] = [disturbed.runs.all.count(null, {}), jobs.size];
  if (there !== asked) wrong.push(`${there} runs are stored, ${asked} were asked for`);
  store.close();
}

/** SHA-256 over everything stored of a run that is no time and no integer key: rows, vectors' bytes, readings, tokens. */
function contentOf(store: Store, key: string): string {
  const everything = { first: 100_000 };
  const local = new Set([
    'id',
    'runId',
    'layerId',
    'vectorId',
    'projectionId',
    'organismId',
    'baseModelId',
    'corpusId',
    'createdAt',
    'durationMs',
  ]);
  const plain = (row: object): JsonValue =>
    JSON.parse(
      JSON.stringify(row, (name, value: unknown) =>
        local.has(name) ||
        (['run', 'layer', 'diffVector', 'projection'].includes(name) && typeof value === 'object')
          ? undefined
          : value,
      ),
    ) as JsonValue;
  const run = store.runs.get(key);
  const parts: JsonValue[] = [plain(run)];
  for (const layer of store.layers.ofRun.page(run, {}, everything).rows) {
    parts.push(plain(layer));
    for (const vector of store.diffVectors.ofLayer.page(layer, {}, everything).rows) {
      parts.push(plain(vector));
      for (const kind of ['DIFF', 'BASE_MEAN', 'FINETUNED_MEAN'] as const)
        parts.push(store.vectors.read(store.vectors.get(vector, kind)).toString('base64'));
      for (const projection of store.projections.ofDiffVector.page(vector, {}, everything).rows) {
        parts.push(plain(projection));
        for (const token of store.tokens.ofProjection.page(projection, {}, everything).rows)
          parts.push(plain(token));
      }
    }
  }
  return sha256(canonicalJson(parts));
}
