import { readFileSync } from 'node:fs';

/** A moment that every process of this machine agrees on, whatever happens to its wall clock. */
export interface BootTime {
  /** Names the machine's start; times of different starts do not compare. */
  boot: string;
  /** Milliseconds since then. */
  ms: number;
}

let boot: string | undefined;

/** Where the kernel does not name its start there is only the wall clock. */
function bootName(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'wall';
  }
}

/** Now, by CLOCK_MONOTONIC, which one machine's processes share. */
export function bootTime(): BootTime {
  boot ??= bootName();
  return { boot, ms: boot === 'wall' ? Date.now() : Number(process.hrtime.bigint() / 1_000_000n) };
}
