import { Command, InvalidArgumentError } from 'commander';
import { type Scope, scopes, type TokenRow } from '../../db/index.ts';
import { withStore, withStoreToRead } from '../data-folder.ts';
import { dataOption, jsonOption, wholeNumber } from '../options.ts';
import { plain, plainJson } from '../plain.ts';
import { plainTable } from '../plain-table.ts';

interface CreateOptions {
  data: string;
  label: string;
  team?: string;
  scopes: Scope[];
  days: number;
  json?: boolean;
}

/** What lets clients in. */
export const tokenCommand = (): Command =>
  new Command('token')
    .description('make, list and end the tokens by which clients are let in')
    .addCommand(create())
    .addCommand(list())
    .addCommand(revoke());

const create = (): Command =>
  new Command('create')
    .description(
      'make a token and print its secret, this once; from the first on, nobody is let in as the owner',
    )
    .requiredOption('--label <text>', 'what it is for, in a few words')
    .option('--team <name>', 'team that it belongs to; only an administrator’s can be without')
    .option(
      '--scopes <list>',
      'what it is good for besides reading: write, jobs:run, import, admin (everything), with commas',
      scopeList,
      ['read'],
    )
    .option('--days <n>', 'days until it expires', wholeNumber(1, 3650), 90)
    .addOption(dataOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExample:\n  deltascope team create red\n  deltascope token create --label "notebook of anna" --team red --scopes write,jobs:run',
    )
    .action(({ data, json, team, ...given }: CreateOptions) =>
      withStore(data, (store) => {
        const { row, secret } = store.administration.createToken({
          ...given,
          team: team === undefined ? null : store.teams.get(team),
        });
        process.stdout.write(
          json ? `${plainJson({ ...shown(row, team ?? null), token: secret }, 2)}\n` : `${secret}\n`,
        );
        if (!json)
          process.stderr.write(
            `token ${row.id}, until ${row.expiresAt}: keep it now, it is not shown again\n`,
          );
      }),
    );

const list = (): Command =>
  new Command('list')
    .description('list tokens, without their secrets')
    .addOption(dataOption())
    .addOption(jsonOption())
    .action((options: { data: string; json?: boolean }) =>
      withStoreToRead(options.data, (store) => {
        const tokens = store.accessTokens.list().map((row) => {
          const team = row.teamId === null ? null : (store.teams.nameOf(row.teamId) ?? null);
          return shown(row, team);
        });
        if (options.json) return void process.stdout.write(`${plainJson(tokens, 2)}\n`);
        if (tokens.length === 0) return void process.stdout.write('there are no tokens yet\n');
        const table = plainTable(
          ['id', 'label', 'team', 'scopes', 'state', 'expires', 'last used'],
          tokens.map(({ id, label, team, scopes: has, state, expiresAt, lastUsedAt }) => [
            id,
            plain(label),
            team ?? '–',
            has.join(','),
            state,
            expiresAt,
            lastUsedAt ?? '–',
          ]),
        );
        process.stdout.write(`${table}\n`);
      }),
    );

const revoke = (): Command =>
  new Command('revoke')
    .description('end a token at once, with the URLs it signed and the jobs it asked for')
    .argument('<id>', 'its id, as list shows it', wholeNumber(1))
    .addOption(dataOption())
    .addOption(jsonOption())
    .action((id: number, { data, json }: { data: string; json?: boolean }) =>
      withStore(data, (store) => {
        const row = store.administration.revokeToken(id);
        const team = row.teamId === null ? null : (store.teams.nameOf(row.teamId) ?? null);
        process.stdout.write(
          json ? `${plainJson(shown(row, team), 2)}\n` : `token ${id} ended at ${row.revokedAt}\n`,
        );
      }),
    );

const shown = (
  { id, label, scopes: has, createdAt, expiresAt, revokedAt, lastUsedAt }: TokenRow,
  team: string | null,
) => {
  const expired = Date.parse(expiresAt) <= Date.now();
  const state = revokedAt !== null ? 'revoked' : expired ? 'expired' : 'valid';
  return { id, label, team, scopes: has, state, createdAt, expiresAt, revokedAt, lastUsedAt };
};

function scopeList(text: string): Scope[] {
  const asked = text.split(',').map((part) => part.trim());
  const known = scopes.filter((scope) => asked.includes(scope));
  if (asked.some((part) => !scopes.some((scope) => scope === part)))
    throw new InvalidArgumentError(`Expected are some of ${scopes.join(', ')}, with commas.`);
  return known;
}
