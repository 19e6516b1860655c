import { CodedError } from '../lib/coded-error.ts';
import { plain } from './plain.ts';

/** The line that a failure is told in, and the exit code. Only what we did not foresee shows a stack. */
export function describeFailure(error: unknown): { line: string; exitCode: number } {
  if (error instanceof CodedError) {
    const interrupted = error.code === 'CANCELLED';
    return {
      line: interrupted
        ? 'deltascope: interrupted; nothing was stored'
        : `deltascope: ${plain(error.message)}`,
      exitCode: interrupted ? 130 : 1,
    };
  }
  if (error instanceof DOMException && error.name === 'AbortError') {
    return { line: 'deltascope: interrupted; nothing was stored', exitCode: 130 };
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const lines = ['deltascope: unexpected failure, please report it', ...stack.split('\n').map(plain)];
  return { line: lines.join('\n'), exitCode: 1 };
}
