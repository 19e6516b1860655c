import { writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { Worker } from 'node:worker_threads';
import { siblingModule } from './sibling-module.ts';

/** Where memory runs out, this process goes before the one that started it. */
export function goFirstWhenMemoryEnds(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '500');
  } catch {
    // not Linux
  }
}

/** Where a core must be shared, others go first: 0 to 19, the largest goes last. */
export function giveWay(niceness: number): void {
  try {
    setPriority(niceness);
  } catch {
    // forbidden here
  }
}

/**
 * Ends this process soon after the one that started it, however that ended, even while its thread is held by work that nothing
 * interrupts: a thread of its own watches.
 */
export function endWithParent(): void {
  new Worker(siblingModule(import.meta.url, 'parent-watch'), { workerData: process.ppid }).unref();
}
