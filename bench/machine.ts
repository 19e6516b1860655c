import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';

/** Instruction sets that decide how fast a product can be. */
const flagsThatMatter = ['avx2', 'avx512f', 'avx512_bf16', 'amx_bf16'];

export interface Machine {
  cpu: string;
  cores: number;
  /** Whether the processor has each; empty where the system does not tell. */
  flags: Record<string, boolean>;
  node: string;
}

export function machine(): Machine {
  let flags: Record<string, boolean> = {};
  try {
    const has = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.trim().split(' ');
    if (has) flags = Object.fromEntries(flagsThatMatter.map((flag) => [flag, has.includes(flag)]));
  } catch {
    // no /proc
  }
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    flags,
    node: process.versions.node,
  };
}

/** "AMD EPYC, 2 cores, avx2, avx512f, no amx_bf16" */
export const describeMachine = ({ cpu, cores, flags }: Machine): string =>
  [cpu, `${cores} cores`, ...Object.entries(flags).map(([flag, has]) => (has ? flag : `no ${flag}`))].join(
    ', ',
  );

/** How many processes wanted a core in the last minute, on average. */
export const load = (): number => loadavg()[0] ?? NaN;
