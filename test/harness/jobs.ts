import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { type JobLimits, jobLimits, type JobRow, openStore, type Store } from '../../src/db/index.ts';
import { supervise, type Supervisor, type SupervisorOptions } from '../../src/jobs/index.ts';
import { registeredRoots } from '../../src/runs/roots.ts';
import { everyday, folderWithCake } from './command.ts';

/** Short enough for tests. */
export const quickLimits: JobLimits = { ...jobLimits, leaseMs: 1500, backoffMs: 20 };

export const noRoots = registeredRoots();

/** A small measurement. */
export const smallRun = {
  organism: 'cake',
  corpus: 'everyday',
  layers: [3],
  positions: 3,
  maxSamples: 40,
  top: 4,
};

/** A store in a file of its own with the organism "cake" and the corpus "everyday", nothing measured. */
export async function storeWithCake(): Promise<{ store: Store; file: string; folder: string }> {
  const folder = await folderWithCake();
  const file = join(folder, 'deltascope.sqlite');
  const store = openStore(file);
  onTestFinished(() => store.close());
  const { addCorpus } = await import('../../src/runs/corpus.ts');
  await addCorpus(store, { name: 'everyday', path: everyday, textColumn: 'text' });
  return { store, file, folder };
}

/** A supervisor with short times, stopped with the test. */
export function superviseInTest(
  store: Store,
  storeFile: string,
  options: Partial<SupervisorOptions> = {},
): Supervisor & { lines: string[] } {
  const lines: string[] = [];
  const supervisor = supervise({
    queue: store.jobs,
    storeFile,
    limits: quickLimits,
    pollMs: 20,
    restartMs: { least: 20, most: 200 },
    threads: 1,
    log: (line) => void lines.push(line),
    ...options,
  });
  onTestFinished(() => supervisor.stop());
  return { ...supervisor, lines };
}

/** Waits until this is so. */
export async function until(isSo: () => boolean, what: string, seconds = 40): Promise<void> {
  const end = performance.now() + seconds * 1000;
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`not so after ${seconds} s: ${what}`);
    await sleep(10);
  }
}

/** The job once it has ended. */
export async function ended(store: Store, { key }: JobRow, seconds?: number): Promise<JobRow> {
  const now = () => store.jobs.get(key);
  await until(
    () => ['COMPLETED', 'ERROR', 'CANCELLED'].includes(now().state),
    `job ${key} ends (it is ${JSON.stringify(now())})`,
    seconds,
  );
  return now();
}
