import { CodedError } from '../lib/coded-error.ts';
import { explainError } from '../lib/explain-error.ts';
import { Interrupted } from './interrupt.ts';
import { plain } from './plain.ts';

/** The line that a failure is told in, and the exit code. Only what we did not foresee shows a stack. */
export function describeFailure(error: unknown): { line: string; exitCode: number } {
  if (error instanceof Interrupted) {
    return {
      line: `deltascope: interrupted; ${plain(error.kept || 'nothing was stored')}`,
      exitCode: 130,
    };
  }
  if (error instanceof CodedError) return { line: `deltascope: ${plain(error.message)}`, exitCode: 1 };
  const lines = [
    'deltascope: unexpected failure, please report it',
    ...explainError(error).split('\n').map(plain),
  ];
  return { line: lines.join('\n'), exitCode: 1 };
}
