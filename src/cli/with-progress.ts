import type { WorkOptions } from '../runs/stored-run.ts';
import { interruptible } from './interrupt.ts';
import { plain } from './plain.ts';
import { barReporter, silentReporter } from './reporter.ts';

/**
 * Runs work that Ctrl-C ends, with a bar on standard error where that is a terminal.
 * @param result what one of the things that the work stores, each as soon as it is finished, is called; or what is kept when it is interrupted, as a clause
 */
export async function withProgress<T>(
  label: string,
  work: (options: Required<Pick<WorkOptions, 'signal' | 'onPhase' | 'onProgress'>>) => Promise<T>,
  result: string | (() => string) = 'result',
): Promise<T> {
  const reporter = process.stderr.isTTY ? barReporter(plain(label)) : silentReporter;
  let saved = 0;
  return interruptible(
    (signal) =>
      work({
        signal,
        onPhase: (phase) => {
          if (phase === 'save') saved += 1; // which is done, or has failed, before a signal is heard
          reporter.phase(phase);
        },
        onProgress: (progress) => reporter.progress(progress),
      }),
    () =>
      typeof result === 'function'
        ? result()
        : saved === 0
          ? ''
          : `${saved} finished ${saved === 1 ? `${result} is` : `${result}s are`} stored, and read when asked again`,
  ).finally(() => reporter.stop());
}
