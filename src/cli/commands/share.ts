import { Argument, Command, Option } from 'commander';
import { type SharedKind, sharedKinds, type Store, visibilities, type Visibility } from '../../db/index.ts';
import { withStore } from '../data-folder.ts';
import { dataOption, jsonOption } from '../options.ts';
import { plain, plainJson } from '../plain.ts';

interface ShareOptions {
  data: string;
  visibility: Lowercase<Visibility>;
  team?: string | false;
  json?: boolean;
}

/** Says who sees a thing. */
export const shareCommand = (): Command =>
  withShareOptions(new Command('share'))
    .description('say who sees an organism with its runs, a base model or a corpus')
    .addArgument(new Argument('<kind>', 'what it is').choices(sharedKinds))
    .argument('<name>', 'its registered name')
    .action((kind: SharedKind, name: string, options: ShareOptions) => share(kind, name, options));

/** The same of an organism, among its commands. */
export const shareOrganism = (): Command =>
  withShareOptions(new Command('share'))
    .description('say who sees an organism, with its runs and all that was made of them')
    .argument('<name>', 'its registered name')
    .action((name: string, options: ShareOptions) => share('organism', name, options));

const withShareOptions = (command: Command): Command =>
  command
    .addOption(
      new Option(
        '--visibility <who>',
        'who sees it: the token that made it, its team, whoever knows its name or id, or everybody',
      )
        .choices(visibilities.map((each) => each.toLowerCase()))
        .makeOptionMandatory(),
    )
    .option('--team <name>', 'team that it belongs to from now on, which may change it')
    .option('--no-team', 'it belongs to the store’s owner from now on')
    .addOption(dataOption())
    .addOption(jsonOption());

const share = (kind: SharedKind, name: string, options: ShareOptions): Promise<void> =>
  withStore(options.data, (store) => {
    const { team } = options;
    const visibility = options.visibility.toUpperCase() as Visibility;
    store.administration.share(kind, get(store, kind, name), {
      visibility,
      // commander: true where neither option was given
      ...(typeof team === 'string' && { team: store.teams.get(team) }),
      ...(team === false && { team: null }),
    });
    const { teamId } = get(store, kind, name);
    const now = {
      kind,
      name,
      visibility,
      team: teamId === null ? null : (store.teams.nameOf(teamId) ?? null),
    };
    const whose = now.team === null ? 'the owner’s' : `team ${now.team}’s`;
    process.stdout.write(
      options.json ? `${plainJson(now, 2)}\n` : `${plain(name)}: ${options.visibility}, ${whose}\n`,
    );
  });

/** @throws NotFoundError */
const get = (store: Store, kind: SharedKind, name: string) =>
  ({ organism: store.organisms, model: store.models, corpus: store.corpora })[kind].get(name);
