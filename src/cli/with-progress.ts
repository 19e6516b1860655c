import type { WorkOptions } from '../runs/stored-run.ts';
import { interruptible } from './interrupt.ts';
import { plain } from './plain.ts';
import { barReporter, silentReporter } from './reporter.ts';

/** Runs work that Ctrl-C ends, with a bar on standard error where that is a terminal. */
export async function withProgress<T>(
  label: string,
  work: (options: Required<Pick<WorkOptions, 'signal' | 'onPhase' | 'onProgress'>>) => Promise<T>,
): Promise<T> {
  const reporter = process.stderr.isTTY ? barReporter(plain(label)) : silentReporter;
  return interruptible((signal) =>
    work({
      signal,
      onPhase: (phase) => reporter.phase(phase),
      onProgress: (progress) => reporter.progress(progress),
    }),
  ).finally(() => reporter.stop());
}
