// A thread of a process that must not outlive its parent: see child-manners.ts.
import { workerData } from 'node:worker_threads';

const everyMs = 500;

setInterval(() => {
  if (process.ppid !== workerData) process.kill(process.pid, 'SIGKILL');
}, everyMs);
