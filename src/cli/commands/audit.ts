import { Command, InvalidArgumentError } from 'commander';
import { CodedError } from '../../lib/coded-error.ts';
import { withStoreToRead } from '../data-folder.ts';
import { dataOption, jsonOption, wholeNumber } from '../options.ts';
import { plain, plainJson } from '../plain.ts';
import { plainTable } from '../plain-table.ts';

/** Who did what. */
export const auditCommand = (): Command =>
  new Command('audit')
    .description('who changed, shared and fetched what')
    .addCommand(show())
    .addCommand(verify());

const show = (): Command =>
  new Command('show')
    .description('print the newest lines of the log, the oldest of them first')
    .option('--last <n>', 'lines', wholeNumber(1, 100_000), 50)
    .addOption(dataOption())
    .addOption(jsonOption())
    .action((options: { data: string; last: number; json?: boolean }) =>
      withStoreToRead(options.data, (store) => {
        const rows = store.auditLog.newest(options.last).map(({ teamId, ...row }) => ({
          ...row,
          team: teamId === null ? null : (store.teams.nameOf(teamId) ?? null),
        }));
        if (options.json) return void process.stdout.write(`${plainJson(rows, 2)}\n`);
        if (rows.length === 0) return void process.stdout.write('nothing has been logged yet\n');
        const table = plainTable(
          ['#', 'time', 'who', 'action', 'subject', 'details', 'request'],
          rows.map(({ id, createdAt, viewer, tokenId, team, action, subject, details, requestId }) => [
            id,
            createdAt,
            tokenId === null ? viewer.toLowerCase() : `token ${tokenId}${team === null ? '' : ` (${team})`}`,
            action,
            plain(subject ?? '–'),
            plain(JSON.stringify(details)),
            requestId ?? '–',
          ]),
        );
        process.stdout.write(`${table}\n`);
      }),
    );

const verify = (): Command =>
  new Command('verify')
    .description(
      'check that each line of the log follows from the one before: no line was changed, put in, or taken out before the last. That the newest lines were cut off, or all made anew, shows with --expect alone',
    )
    .option(
      '--expect <hash>',
      'hash that verify printed before and that was kept elsewhere: it must still be in the chain',
      hashText,
    )
    .addOption(dataOption())
    .addOption(jsonOption())
    .action(({ data, json, expect }: { data: string; json?: boolean; expect?: string }) =>
      withStoreToRead(data, (store) => {
        const { rows, head, brokenAt, hasExpected } = store.auditLog.verify(expect);
        if (json) process.stdout.write(`${plainJson({ rows, head, brokenAt, hasExpected }, 2)}\n`);
        if (brokenAt !== null)
          throw new CodedError(
            'AUDIT_BROKEN',
            `line ${brokenAt} of the audit log does not follow from the ones before it: it was changed by other means`,
          );
        if (!hasExpected)
          throw new CodedError(
            'AUDIT_BROKEN',
            'the audit log no longer has the expected hash: lines were cut off, or all made anew',
          );
        if (!json)
          process.stdout.write(`${rows} lines, each following from the one before; last hash ${head}\n`);
      }),
    );

function hashText(text: string): string {
  if (!/^[0-9a-f]{64}$/.test(text)) throw new InvalidArgumentError('64 hex digits are expected.');
  return text;
}
