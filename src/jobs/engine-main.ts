// The engine's own process: node engine-main.js <options as JSON>, started by supervisor.ts with a channel between them.
import { openStore } from '../db/index.ts';
import { goFirstWhenMemoryEnds } from '../lib/child-manners.ts';
import { explainError } from '../lib/explain-error.ts';
import { registeredRoots } from '../runs/roots.ts';
import { isDeviceLost, work } from './engine.ts';
import { deviceLost, type EngineProcessOptions, storeFailed } from './engine-process.ts';

const options = JSON.parse(process.argv[2] ?? '{}') as EngineProcessOptions;
const log = (line: string): void => void process.stderr.write(`${line}\n`);
const stop = new AbortController();

goFirstWhenMemoryEnds();

// The terminal's Ctrl-C reaches the whole group; the server decides when its engines stop.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => stop.abort());
process.on('message', (message) => message === 'stop' && stop.abort());
process.on('disconnect', () => stop.abort()); // the server is gone: nobody would supervise

const store = openStore(options.store);
try {
  await work({
    ...options,
    store,
    queue: store.jobs,
    roots: registeredRoots(options.roots),
    stop: stop.signal,
    onBeat: (beat) => process.connected && process.send?.(beat),
    log,
  });
} catch (error) {
  log(explainError(error));
  process.exitCode = isDeviceLost(error) ? deviceLost : storeFailed; // `work` throws nothing else
} finally {
  store.close();
  process.exit();
}
