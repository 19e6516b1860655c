// Ends worker threads in the middle of their jobs, and prints what came of it. Arguments: the folders of a base and of an adapter
// on it, and how many workers to end.
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { diff, Model } from '../../src/index.ts';
import { longJob } from './long-job.ts';
import { digestOf } from './numbers.ts';
import { randomTokens } from './random.ts';

const [folder = '', adapter = '', times = ''] = process.argv.slice(2);
const openPair = async () => [await Model.open(folder), await Model.open(folder, { adapter })] as const;
const say = (line: string) => process.stdout.write(`${line}\n`);

/** A worker that has asked for a diff, or has seen it progress. */
async function startWorker(moment: 'asked' | 'under way'): Promise<Worker> {
  const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2), workerData: moment });
  await once(worker, 'message');
  worker.on('message', () => {
    throw new Error('the job ended before it could be stopped');
  });
  return worker;
}

if (isMainThread) {
  for (let time = 0; time < Number(times); time++) {
    const worker = await startWorker('under way');
    say(`ended a worker with ${await worker.terminate()}`);
  }
  // The engine still works, in this thread.
  const pair = await openPair();
  say(digestOf(await diff(...pair, randomTokens(100, 8, 2048), { layers: [7] })));

  const job = longJob(...pair);
  const waiting = await startWorker('asked');
  say(`ended a waiting worker with ${await waiting.terminate()}`);
  say(`the job before its own ${job.goesOn() ? 'goes on' : 'has ended'}`);
  await job.cancel();
} else {
  const pair = await openPair();
  let moment = workerData as string | undefined;
  const tell = (now: string): void => {
    if (now !== moment) return;
    parentPort!.postMessage(now);
    moment = undefined;
  };
  const result = diff(...pair, randomTokens(600, 24, 2048), {
    layers: [7],
    onProgress: () => tell('under way'),
  });
  tell('asked');
  await result;
  parentPort!.postMessage('done');
}
