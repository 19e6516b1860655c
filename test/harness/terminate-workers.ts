// Starts a diff in a worker thread and ends the thread in the middle of it, several times. Exits 0 when the process lives.
import { once } from 'node:events';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { diff, Model } from '../../src/index.ts';

const [folder = '', adapter = '', times = ''] = process.argv.slice(2);

async function measure(onProgress: () => void): Promise<void> {
  const base = await Model.open(folder);
  const finetuned = await Model.open(folder, { adapter });
  const tokens = Array.from({ length: 2000 }, (_, i) =>
    Array.from({ length: 24 }, (_, t) => (i * 31 + t * 17) % 2048),
  );
  await diff(base, finetuned, tokens, { layers: [7], onProgress });
}

if (isMainThread) {
  for (let time = 0; time < Number(times); time++) {
    const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) });
    const [message] = (await once(worker, 'message')) as [string];
    if (message !== 'under way') throw new Error(`the job ended before it could be stopped: ${message}`);
    process.stdout.write(`ended a worker with ${await worker.terminate()}\n`);
  }
  const model = await Model.open(folder); // the engine still works, in this thread
  process.stdout.write(`${(await model.logits([[1]]))[0]?.length} logits\n`);
} else {
  let told = false;
  await measure(() => {
    if (!told) parentPort?.postMessage('under way');
    told = true;
  });
  parentPort?.postMessage('done');
}
