// Loads the addon in many worker threads, four at a time, lets each compute and end, and computes in the main thread then. Prints
// the digest of what they all found, once. Arguments: the folders of a base and of an adapter on it, and how many workers.
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { packageRoot } from '../../src/lib/package-root.ts';

const [folder = '', adapter = '', times = ''] = process.argv.slice(2);
const addon = join(packageRoot(), 'build/addon/Release/deltascope.node');

// The addon itself, without the façade: a worker starts sooner, and nothing stands between it and its end.
const script = `
  const { createHash } = require('node:crypto');
  const { parentPort } = require('node:worker_threads');
  const addon = require(${JSON.stringify(addon)});
  const open = (adapter) => addon.open(${JSON.stringify(folder)}, adapter, 'float32', 'cpu', 2, addon.newJob());
  (async () => {
    await open('');
    const { handle } = await open(${JSON.stringify(adapter)});
    const [logits] = await addon.logits(handle, Int32Array.of(1, 2, 3), Float64Array.of(0, 3), addon.newJob());
    parentPort.postMessage(createHash('sha256').update(logits).digest('hex'));
  })();`;

const digests = new Set<string>();
for (let started = 0; started < Number(times); started += 4) {
  const workers = Array.from({ length: 4 }, () => new Worker(script, { eval: true }));
  await Promise.all(
    workers.map(async (worker) => {
      const end = once(worker, 'exit');
      const [digest] = (await once(worker, 'message')) as [string];
      digests.add(digest);
      await end;
    }),
  );
}
process.stdout.write([...digests].join('\n'));
