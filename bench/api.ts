// npm run bench:api: the server beside the least that could do the same work, in ratios. Each round measures both; what counts is the
// median of the rounds' ratios. Numbers of a machine that does other work are no numbers.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { Command } from 'commander';
import { graphContext, schema } from '../schema/index.ts';
import { wholeNumber } from '../src/cli/options.ts';
import { openStore, type Viewer } from '../src/db/index.ts';
import { Documents } from '../src/server/graph/documents.ts';
import { execute } from '../src/server/graph/execute.ts';
import { maxDocumentBytes } from '../src/server/graph/limits.ts';
import { openDataset } from './api/dataset.ts';
import { ingest } from './api/ingest.ts';
import { Client, generator, rate, startServer } from './api/load.ts';
import { heavy, nested, point, pointBody } from './api/queries.ts';
import { rawNested } from './api/raw-nested.ts';
import { benchFolder, script, temporaryFolder } from './folder.ts';
import { describeMachine, load, machine } from './machine.ts';
import { digits, markdownTable } from './markdown.ts';
import { ask, BenchError, runBench, say } from './run-child.ts';
import { median, spread } from './statistics.ts';

interface Options {
  rounds: number;
  seconds: number;
}

const program = new Command('bench:api')
  .description('Ratios of the graph and the downloads to bare SQLite, bare node:http and sendfile.')
  .option('--rounds <count>', 'rounds, each with both sides', wholeNumber(1), 5)
  .option('--seconds <count>', 'seconds of load for each side in a round', wholeNumber(1), 4)
  .action(main);

/** A measured ratio: its goal, the ratio of every round, and both sides of the last for orientation. */
interface Row {
  id: string;
  what: string;
  goal: string;
  reached: (ratio: number) => boolean;
  ratios: number[];
  sides: string[];
}

const medianOf = (times: number, work: () => unknown): number => {
  const taken = Array.from({ length: times }, () => {
    const begun = performance.now();
    work();
    return performance.now() - begun;
  });
  return median(taken);
};

/** The value below which this share of them lies. */
const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))] ?? NaN;

async function main({ rounds, seconds }: Options): Promise<void> {
  const loadBefore = load();
  const { file, mebibyte, sixteen } = openDataset();
  const folder = temporaryFolder();
  const store = openStore(file, { readonly: true });
  const sqlite = new BetterSqlite3(file, { readonly: true });
  const rows: Row[] = [];
  const least = (limit: number) => ({ goal: `≥ ${limit}`, reached: (ratio: number) => ratio >= limit });
  const most = (limit: number) => ({ goal: `≤ ${limit}`, reached: (ratio: number) => ratio <= limit });
  const row = (id: string, what: string, limit: Pick<Row, 'goal' | 'reached'>): Row => {
    const made = { id, what, ...limit, ratios: [], sides: [] };
    rows.push(made);
    return made;
  };
  const measured = (into: Row, ours: number, other: number, unit: string) => {
    into.ratios.push(ours / other);
    into.sides = [`${digits(ours)} ${unit}`, `${digits(other)} ${unit}`];
  };

  // ---- files for the opponent, the same bytes as ours ----
  const run = store.runs.latestOfOrganism(store.organisms.get('organism-00'));
  if (!run) throw new BenchError('the data set has no runs; delete build/bench/api-2');
  const vectors = Array.from({ length: 50 }, (_, i) => {
    const key = store.runs.latestOfOrganism(
      store.organisms.get(`organism-${String(i).padStart(2, '0')}`),
    )?.key;
    return Array.from({ length: 32 }, (_, layer) => `${key}.L${layer}.P0/diff`);
  }).flat();
  const served = vectors.filter((_, i) => i % 8 === 0);
  mkdirSync(join(folder, 'files'));
  served.forEach((key, i) => {
    const vector = store.vectors.findByKey(key);
    if (!vector) throw new BenchError(`the data set has no ${key}; delete build/bench/api-2`);
    writeFileSync(join(folder, 'files', `v${i}`), store.vectors.read(vector));
  });
  const c = join(benchFolder, 'sendfile');
  execFileSync('cc', ['-O2', '-o', c, script('api/sendfile.c')]);

  say('starting servers …');
  const serverScript = script('api/server.ts');
  const ours = await startServer([process.execPath, serverScript, 'ours', file]);
  const raw = await startServer([process.execPath, serverScript, 'raw', file]);
  for (const [name, key] of [
    ['m1', mebibyte],
    ['m16', sixteen],
  ] as const) {
    const response = await fetch(`http://127.0.0.1:${ours.port}/v1/runs/${key}.safetensors`);
    writeFileSync(join(folder, 'files', name), Buffer.from(await response.arrayBuffer()));
  }
  const files = await startServer([c, join(folder, 'files')]);

  // ---- in process ----
  const documents = new Documents(schema, maxDocumentBytes);
  const prepared = documents.prepare(nested);
  const queryBy = (reads: Parameters<typeof graphContext>[0]) => (): string => {
    const context = graphContext(reads, 'http://127.0.0.1');
    const result = execute(schema, documents, { prepared: documents.prepare(nested), context });
    if (result instanceof Promise) throw new BenchError('the nested query is not answered at once');
    return JSON.stringify(result);
  };
  const rawObject = rawNested(sqlite);
  const rawText = () => JSON.stringify(rawObject());
  const reader: Viewer = { kind: 'TOKEN', all: false, teamId: 1, tokenId: 1, scopes: ['read'] };
  const [ownerQuery, viewerQuery] = [queryBy(store), queryBy(store.as(reader))];
  for (const work of [ownerQuery, viewerQuery, rawText]) medianOf(50, work);
  if (ownerQuery() !== rawText()) throw new BenchError('the two nested answers differ');
  const operation = documents.operation(prepared, null);
  const bare = operation && documents.compiled(prepared, operation);
  if (!bare) throw new BenchError('the nested query was not compiled');
  const bareQuery = () =>
    store.snapshot(() => JSON.stringify(bare(undefined, graphContext(store, 'http://127.0.0.1'), {})));

  const p1 = row('P1', 'nested query, 1,000 leaves, in process ÷ R1', most(3));
  const p12 = row('P12', 'cost, limits and visibility for a token added to P1', most(1.1));
  const p2 = row('P2', 'the same over HTTP, one connection ÷ (R1 + R2)', most(3.5));
  const p3 = row('P3', 'point query over HTTP, 16 connections, ÷ R2', least(0.4));
  const p4 = row('P4', 'vectors of 16 KiB, answers a second ÷ R3', least(0.3));
  const p5a = row('P5', 'a run of 1 MiB, bytes a second ÷ R3', least(0.6));
  const p5b = row('P5', 'a run of 16 MiB, bytes a second ÷ R3', least(0.6));
  const p6 = row('P6', 'Python: 64 vectors ÷ one raw 1 MiB GET of R2', most(1.5));
  const p7 = row('P7', 'point query, cold document ÷ warm', most(4));
  const p8 = row('P8', 'p99 of a light query beside a heavy one ÷ idle', most(5));
  const p9 = row('P9', 'ingest of 100,000 projections ÷ bare inserts', most(2));
  const p11 = row('P11', 'start to the first answer, seconds', most(1));

  const clients = { ours: new Client(ours.port), raw: new Client(raw.port), heavy: new Client(ours.port) };
  const many = async (client: Client, times: number, body: (i: number) => string) => {
    const taken: number[] = [];
    for (let i = 0; i < times; i++) taken.push(await client.post('/graphql', body(i)));
    return taken;
  };
  const body = pointBody(run.key);
  let unique = 0;
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round} of ${rounds}`);
    const r1 = medianOf(200, rawText);
    const full = medianOf(200, ownerQuery);
    measured(p1, full, r1, 'ms');
    measured(p12, medianOf(200, viewerQuery), medianOf(200, bareQuery), 'ms');
    const r2 = median(await many(clients.raw, 300, () => body));
    const http = median(await many(clients.ours, 200, () => JSON.stringify({ query: nested })));
    measured(p2, http, r1 + r2, 'ms');
    const load = async (port: number, paths: string[], connections: number, post?: string) =>
      rate(
        folder,
        port,
        { method: post === undefined ? 'GET' : 'POST', paths, ...(post === undefined ? {} : { body: post }) },
        connections,
        seconds,
      );
    const r2Rate = await load(raw.port, ['/graphql'], 16, body);
    measured(p3, await load(ours.port, ['/graphql'], 16, body), r2Rate, '/s');
    const r3 = await load(
      files.port,
      served.map((_, i) => `/v${i}`),
      16,
    );
    measured(
      p4,
      await load(
        ours.port,
        served.map((key) => `/v1/vectors/${key}`),
        16,
      ),
      r3,
      '/s',
    );
    for (const [into, name, key] of [
      [p5a, 'm1', mebibyte],
      [p5b, 'm16', sixteen],
    ] as const) {
      const other = await load(files.port, [`/${name}`], 4);
      measured(into, await load(ours.port, [`/v1/runs/${key}.safetensors`], 4), other, '/s');
    }
    const python = await ask<{ ours: number; raw: number }>('python3', [
      script('api/fetch64.py'),
      String(ours.port),
      String(raw.port),
      'mebibyte',
      ...vectors.slice(64 * round, 64 * round + 64),
    ]);
    measured(p6, 1e3 * python.ours, 1e3 * python.raw, 'ms');
    const warm = median(await many(clients.ours, 300, () => body));
    const cold = median(await many(clients.ours, 300, () => pointBody(run.key, `${point} # ${unique++}`)));
    measured(p7, cold, warm, 'ms');
    const idle = quantile(await many(clients.ours, 300, () => body), 0.99);
    let going = true;
    const beside = (async () => {
      while (going) await clients.heavy.post('/graphql', JSON.stringify({ query: heavy }));
    })();
    const busy = quantile(await many(clients.ours, 200, () => body), 0.99);
    going = false;
    await beside;
    measured(p8, busy, idle, 'ms');
    const stored = ingest(folder, round);
    measured(p9, stored.ours, stored.raw, 'ms');
    const begun = performance.now();
    const fresh = await startServer([process.execPath, serverScript, 'ours', file]);
    const client = new Client(fresh.port);
    await client.post('/graphql', body);
    measured(p11, (performance.now() - begun) / 1e3, 1, 's');
    client.close();
    fresh.stop();
  }
  for (const client of Object.values(clients)) client.close();
  for (const server of [ours, raw, files]) server.stop();
  store.close();
  sqlite.close();

  const table = rows.map(({ id, what, goal, reached, ratios, sides }) => {
    const { median, least, most } = spread(ratios);
    return [
      id,
      what,
      goal,
      digits(median),
      `${digits(least)} – ${digits(most)}`,
      ...sides,
      reached(median) ? 'yes' : 'no',
    ];
  });
  const heads = ['', 'what', 'goal', 'median', 'least – most', 'ours', 'other', 'reached'];
  process.stdout.write(
    `${describeMachine(machine())}, Node ${process.versions.node}; ${generator}; ${rounds} rounds of ${seconds} s; load before ${loadBefore.toFixed(2)}` +
      `${loadBefore > 0.5 ? ' (the machine was busy: not to be quoted)' : ''}\n\n${markdownTable([heads, ...table], [3, 4, 5, 6])}\n`,
  );
}

await runBench(program);
