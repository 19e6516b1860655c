import { Command } from 'commander';
import { withStore, withStoreToRead } from '../data-folder.ts';
import { dataOption, jsonOption } from '../options.ts';
import { plainJson } from '../plain.ts';
import { plainTable } from '../plain-table.ts';

/** Who shares things. */
export const teamCommand = (): Command =>
  new Command('team')
    .description('make and list teams: what tokens belong to and things are shared in')
    .addCommand(create())
    .addCommand(list());

const create = (): Command =>
  new Command('create')
    .description('make a team')
    .argument('<name>', '1 to 50 small letters, digits and dashes')
    .addOption(dataOption())
    .addOption(jsonOption())
    .action((name: string, { data, json }: { data: string; json?: boolean }) =>
      withStore(data, (store) => {
        const { createdAt } = store.administration.addTeam(name);
        process.stdout.write(json ? `${plainJson({ name, createdAt }, 2)}\n` : `team ${name}\n`);
      }),
    );

const list = (): Command =>
  new Command('list')
    .description('list teams')
    .addOption(dataOption())
    .addOption(jsonOption())
    .action(({ data, json }: { data: string; json?: boolean }) =>
      withStoreToRead(data, (store) => {
        const tokens = store.accessTokens.list();
        const teams = store.teams.list().map(({ id, name, createdAt }) => {
          return { name, tokens: tokens.filter(({ teamId }) => teamId === id).length, createdAt };
        });
        if (json) return void process.stdout.write(`${plainJson(teams, 2)}\n`);
        if (teams.length === 0) return void process.stdout.write('there are no teams yet\n');
        const rows = teams.map(({ name, tokens: count, createdAt }) => [name, count, createdAt]);
        process.stdout.write(`${plainTable(['team', 'tokens', 'since'], rows)}\n`);
      }),
    );
