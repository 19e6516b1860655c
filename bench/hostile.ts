// npm run bench:hostile: what each hostile query costs a server in CPU and memory, alone and 16 at a time; and whether documents
// that differ can fill it; and how long others wait beside searches of a large store. Goals: 50 ms of CPU and 50 MB each, 200 MB for
// 5,000 documents of 100 KB, 100 ms for the others.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { openStore } from '../src/db/index.ts';
import { wholeNumber } from '../src/cli/options.ts';
import { hostileRequests, type HostileRequest } from '../test/harness/hostile-requests.ts';
import { seedRun } from '../test/harness/synthetic-run.ts';
import { script, temporaryFolder } from './folder.ts';
import { largeStore, searches } from './hostile/searches.ts';
import type { Usage } from './hostile/server.ts';
import { describeMachine, load, machine } from './machine.ts';
import { digits, markdownTable } from './markdown.ts';
import { BenchError, runBench, say } from './run-child.ts';

const goals = { ms: 50, mebibytes: 50, cacheMebibytes: 200, waitMs: 100 };
const mebibyte = 2 ** 20;

/** Errors have a status of their own for who asks for this type. */
const strict = { 'Content-Type': 'application/json', Accept: 'application/graphql-response+json' };

const leaves =
  'id key digest method methodVersion positions samples uniquePrefixes baseDigest finetunedDigest corpusDigest tokensDigest seed computeDtype storeDtype device mode durationMs createdAt';

const program = new Command('bench:hostile')
  .description('CPU and memory that hostile queries cost a server.')
  .option('--documents <count>', 'different documents of 100 KB', wholeNumber(1), 5_000)
  .option('--match <text>', 'only queries whose name has this', '')
  .addOption(new Option('--only <part>', 'one part').choices(['requests', 'documents', 'searches']))
  .action(main);

class Server {
  readonly #child: ChildProcess;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 });
  readonly #port: number;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#port = port;
  }

  static async start(file: string): Promise<Server> {
    const child = fork(script('hostile/server.ts'), [file], { execArgv: ['--expose-gc'] });
    process.once('exit', () => child.kill('SIGKILL'));
    const [port] = (await once(child, 'message')) as [number];
    return new Server(child, port);
  }

  /** What it has used so far. */
  async usage(collect: boolean): Promise<Usage> {
    const answered = once(this.#child, 'message') as Promise<[Usage]>;
    this.#child.send({ collect });
    return (await answered)[0];
  }

  async ask({ method = 'POST', search = '', headers, body }: Partial<HostileRequest>): Promise<number> {
    const sent = httpRequest({
      port: this.#port,
      host: '127.0.0.1',
      agent: this.#agent,
      method,
      path: `/graphql${search}`,
      headers: { ...(method === 'POST' && { 'Content-Type': 'application/json' }), ...headers },
    });
    sent.on('error', () => undefined); // a body that is too long is cut off
    let status = 0;
    sent.once('response', (response) => {
      status = response.statusCode ?? 0;
      response.resume();
    });
    const answered = new Promise<number>((resolve) => sent.once('close', () => resolve(status)));
    sent.end(body);
    return answered;
  }

  stop(): void {
    this.#agent.destroy();
    this.#child.kill('SIGKILL');
  }
}

const good = (i: number): string => JSON.stringify({ query: `{ runs { totalCount } } # ${i}` });

/** The same as another document, so that it was not judged before. */
const anew = (request: HostileRequest): HostileRequest =>
  request.body === undefined
    ? request
    : { ...request, body: request.body.replace('"query":"', '"query":" ') };

/** CPU milliseconds for each of so many at a time. */
async function milliseconds(server: Server, request: HostileRequest, parallel: number): Promise<number> {
  const before = await server.usage(true);
  await Promise.all(Array.from({ length: parallel }, () => server.ask(request)));
  return ((await server.usage(false)).cpuMs - before.cpuMs) / parallel;
}

/** MiB that a new server grows by, whose memory no other request has filled and left: alone, then 16 at a time. */
async function growth(file: string, request: HostileRequest): Promise<[number, number]> {
  const server = await Server.start(file);
  for (let i = 0; i < 50; i++) await server.ask({ body: good(i) });
  const before = await server.usage(true);
  await server.ask(anew(request));
  const one = await server.usage(false);
  await Promise.all(Array.from({ length: 16 }, () => server.ask(request)));
  const many = await server.usage(false);
  server.stop();
  return [(one.rss - before.rss) / mebibyte, (many.rss - before.rss) / mebibyte];
}

/** Milliseconds that others wait at most while so many of these queries are answered; how long these take, and how they end. */
async function beside(server: Server, query: string, parallel: number) {
  const ask = (body: string) => server.ask({ headers: strict, body });
  let running = true;
  const begun = performance.now();
  const statuses = new Map<number, number>();
  const asked = Promise.all(
    Array.from({ length: parallel }, async (_, i) => {
      const status = await ask(JSON.stringify({ query: `${query} # ${i}` }));
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }),
  ).then(() => (running = false));
  let longest = 0;
  while (running) {
    const since = performance.now();
    await ask(good(0));
    longest = Math.max(longest, performance.now() - since);
  }
  await asked;
  return { longest, seconds: (performance.now() - begun) / 1_000, statuses };
}

/** A table: the numbers in its columns from the second on stand to the right. */
type Table = { head: string[]; rows: string[][]; numbers: number[] };

async function requests(file: string, match: string): Promise<Table> {
  const server = await Server.start(file);
  for (let i = 0; i < 300; i++) await server.ask({ body: good(i) });
  const rows = [];
  for (const request of hostileRequests.filter(({ name }) => name.includes(match))) {
    await server.ask(request); // the code is compiled, as it is in a server that has run for a while
    const one = await milliseconds(server, anew(request), 1);
    const many = await milliseconds(server, request, 16);
    const [grown, grownMore] = await growth(file, request);
    const reached = Math.max(one, many) <= goals.ms && Math.max(grown, grownMore) <= goals.mebibytes;
    rows.push([request.name, ...[one, many, grown, grownMore].map(digits), reached ? 'yes' : 'MISSED']);
    say(`${request.name}: ${digits(one)} ms, ${digits(grown)} MiB`);
  }
  server.stop();
  return {
    head: [
      'query',
      'ms of CPU',
      'ms each, 16 at a time',
      'MiB',
      'MiB, 16 at a time',
      `≤ ${goals.ms} ms and ≤ ${goals.mebibytes} MiB`,
    ],
    rows,
    numbers: [1, 2, 3, 4],
  };
}

async function differentDocuments(file: string, count: number): Promise<Table> {
  const server = await Server.start(file);
  await server.ask({ body: JSON.stringify({ query: '{ runs { totalCount } }' }) });
  const rows = [];
  for (const [name, status, document] of [
    [
      'valid',
      200,
      (i: number) =>
        `# ${i} ${'x'.repeat(90_000)}\n{ ${`runs(first: 0) { edges { node { ${leaves} } } } `.repeat(40)} }`,
    ],
    ['refused', 400, (i: number) => `# ${i} ${'x'.repeat(90_000)}\n{ ${'nothing '.repeat(1_800)} }`],
  ] as const) {
    const before = await server.usage(true);
    let peak = before.rss;
    const begun = performance.now();
    for (let i = 0; i < count; i++) {
      const answered = await server.ask({ headers: strict, body: JSON.stringify({ query: document(i) }) });
      if (answered !== status) throw new BenchError(`a ${name} document was answered by ${answered}`);
      if (i % 100 === 99) peak = Math.max(peak, (await server.usage(false)).rss);
    }
    const after = await server.usage(true);
    const [most, left] = [(peak - before.rss) / mebibyte, (after.rss - before.rss) / mebibyte];
    rows.push([
      `${count} documents of 100 KB, ${name}`,
      digits((after.cpuMs - before.cpuMs) / count),
      digits(most),
      digits(left),
      digits((after.heap - before.heap) / mebibyte),
      most <= goals.cacheMebibytes ? 'yes' : 'MISSED',
    ]);
    say(
      `${count} ${name} documents in ${digits((performance.now() - begun) / 1_000)} s: at most +${digits(most)} MiB`,
    );
  }
  server.stop();
  return {
    head: [
      'documents',
      'ms of CPU each',
      'MiB at most',
      'MiB after',
      'MiB of heap after',
      `≤ ${goals.cacheMebibytes} MiB`,
    ],
    rows,
    numbers: [1, 2, 3, 4],
  };
}

async function longSearches(match: string): Promise<Table> {
  const server = await Server.start(largeStore());
  for (let i = 0; i < 300; i++) await server.ask({ body: good(i) });
  const rows = [];
  for (const [name, query] of searches.filter(([name]) => name.includes(match))) {
    for (const parallel of [1, 20]) {
      const { longest, seconds, statuses } = await beside(server, query, parallel);
      const told = [...statuses].map(([status, count]) => `${count} × ${status}`).join(', ');
      const reached = longest <= goals.waitMs ? 'yes' : 'MISSED';
      rows.push([name, String(parallel), told, digits(seconds), digits(longest), reached]);
      say(`${name}, ${parallel} at a time: ${told}, others waited ${digits(longest)} ms`);
    }
  }
  server.stop();
  return {
    head: [
      'search of a large store',
      'at a time',
      'answers',
      'seconds',
      'ms others wait at most',
      `≤ ${goals.waitMs} ms`,
    ],
    rows,
    numbers: [1, 3, 4],
  };
}

interface Options {
  documents: number;
  match: string;
  only?: 'requests' | 'documents' | 'searches';
}

async function main({ documents, match, only }: Options): Promise<void> {
  const loadBefore = load();
  const file = join(temporaryFolder(), 'store.sqlite');
  const store = openStore(file);
  seedRun(store);
  store.close();
  const parts = {
    requests: () => requests(file, match),
    documents: () => differentDocuments(file, documents),
    searches: () => longSearches(match),
  };
  const tables: Table[] = [];
  for (const [name, make] of Object.entries(parts)) if (!only || only === name) tables.push(await make());
  process.stdout.write(
    `${describeMachine(machine())}, Node ${process.versions.node}; load before ${loadBefore.toFixed(2)}\n\n` +
      tables.map(({ head, rows, numbers }) => `${markdownTable([head, ...rows], numbers)}\n`).join('\n'),
  );
}

await runBench(program);
process.exit();
