import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const script = fileURLToPath(new URL('../harness/held-child.ts', import.meta.url));

/** Whether a process of this id runs; one that has ended and that nobody asked about does not. */
function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return process.platform !== 'linux';
  }
}

it('a child whose thread is held ends soon after its parent was killed', async () => {
  const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const child = Number(line.toString());
  await sleep(1_000);
  expect(runs(child)).toBe(true); // as long as its parent does
  parent.kill('SIGKILL');
  const end = performance.now() + 20_000;
  while (runs(child) && performance.now() < end) await sleep(50);
  const left = runs(child);
  if (left) process.kill(child, 'SIGKILL');
  expect(left).toBe(false);
});
