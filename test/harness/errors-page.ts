import { errorCodes } from '../../schema/error-codes.ts';

const [begin, end] = ['<!-- codes -->', '<!-- end of codes -->'];

/** docs/errors.md with its table made anew from the codes. */
export function errorsPage(page: string): string {
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`docs/errors.md has no ${begin} … ${end}`);
  const rows = Object.entries(errorCodes).map(
    ([code, { meaning, status, retryable, remedy }]) =>
      `| \`${code}\` | ${status} | ${retryable ? 'yes' : 'no'} | ${meaning} | ${remedy} |`,
  );
  const table = ['| code | status | retry | what it means | what to do |', '| - | - | - | - | - |', ...rows];
  return `${before}${begin}\n\n${table.join('\n')}\n\n${end}${after}`;
}
