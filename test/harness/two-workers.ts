// Two worker threads ask for a diff while a third computation runs. Prints the digests of their results and the most threads that
// the engine had for computing, as JSON. Arguments: the folders of a base and of two adapters on it.
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { diff, Model } from '../../src/index.ts';
import { longJob } from './long-job.ts';
import { digestOf } from './numbers.ts';
import { randomTokens } from './random.ts';

const [folder = '', ...adapters] = process.argv.slice(2);
const openPair = async (adapter: string) =>
  [await Model.open(folder), await Model.open(folder, { adapter })] as const;

/** Threads of OpenMP carry the name of the one that started them. */
const computeThreads = (): number =>
  readdirSync('/proc/self/task').filter(
    (id) => readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim() === 'ds-compute',
  ).length;

if (isMainThread) {
  const counts: number[] = [];
  const workers = adapters.map(
    (adapter) => new Worker(new URL(import.meta.url), { argv: process.argv.slice(2), workerData: adapter }),
  );
  const next = async (): Promise<string[]> => {
    const said = await Promise.all(workers.map((worker) => once(worker, 'message') as Promise<[string]>));
    counts.push(computeThreads());
    return said.map(([message]) => message);
  };
  const expectAll = (said: string[], word: string) => {
    if (!said.every((message) => message === word)) throw new Error(`${said.join(', ')}: not ${word}`);
  };

  expectAll(await next(), 'ready');
  const job = longJob(...(await openPair(adapters[0] ?? '')));
  for (const worker of workers) worker.postMessage('go');
  expectAll(await next(), 'asked');
  const digests = next();
  await job.cancel();
  process.stdout.write(JSON.stringify({ digests: await digests, threads: Math.max(...counts) }));
} else {
  const pair = await openPair(workerData as string);
  parentPort!.postMessage('ready');
  await once(parentPort!, 'message');
  const result = diff(...pair, randomTokens(500, 8, 2048), { layers: [3, 7] });
  parentPort!.postMessage('asked');
  parentPort!.postMessage(digestOf(await result));
}
