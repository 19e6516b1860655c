import { Command, InvalidArgumentError } from 'commander';
import { existsSync } from 'node:fs';
import type { Store } from '../../db/index.ts';
import { CodedError } from '../../lib/coded-error.ts';
import { storeFile, withStore, withStoreToRead } from '../data-folder.ts';
import { dataOption, threadsOption, wholeNumber } from '../options.ts';
import { serveUntilStopped } from '../serve-until-stopped.ts';
import { plain } from '../plain.ts';

export const defaultPort = 4680;

interface ServeOptions {
  data: string;
  port: number;
  host: string;
  graphiql: boolean;
  engine: boolean;
  roots?: Record<string, string>;
  threads?: number;
  logRequests?: boolean;
  rate?: number;
  requireTokens?: boolean;
  allowHost?: string[];
}

/** Serves the store. */
export const serveCommand = (): Command =>
  new Command('serve')
    .description(
      'serve the graph, with GraphiQL, and the vectors on this machine; do the jobs that are asked for',
    )
    .option('--port <n>', 'port; 0 takes any free one', wholeNumber(0, 65535), defaultPort)
    .option('--host <address>', 'address to listen on; another than loopback needs tokens', '127.0.0.1')
    .option(
      '--allow-host <name>',
      'name that clients may use for this server; may be given again',
      (name: string, before: string[] = []) => [...before, hostName(name)],
    )
    .option('--require-tokens', 'let nobody in as the owner, even while there are no tokens')
    .option('--no-graphiql', 'no page at /graphql for browsers')
    .option('--log-requests', 'one line of JSON on standard error for each request')
    .option(
      '--rate <points>',
      'points that each client may spend in the graph in an hour, about a row read each; 0 for no limit',
      wholeNumber(0),
    )
    .option('--no-engine', 'only read: no jobs, no changes')
    .option(
      '--roots <name=folder>',
      'folder under which clients may name models and corpora; may be given again',
      rootOption,
    )
    .addOption(threadsOption())
    .addOption(dataOption())
    .action(async (options: ServeOptions) => {
      const read = () => withStoreToRead(options.data, (store) => serveUntilStopped(store, asked(options)));
      if (!options.engine) return read();
      // What is not there is not made without something that could be put into it.
      const isThere = existsSync(storeFile(options.data));
      if (!options.roots && !isThere) return read();
      try {
        if (!isThere)
          process.stderr.write(
            `there is no store in ${plain(options.data)} yet: a new one is made for what is registered below the roots\n`,
          );
        await withStore(options.data, (store) => serveWithEngine(store, options));
      } catch (error) {
        if (!(error instanceof CodedError && error.code === 'DATA_NOT_WRITABLE')) throw error;
        process.stderr.write('the data folder cannot be written to: no jobs and no changes here\n');
        return read();
      }
    });

const asked = ({ host, port, graphiql, logRequests, rate, requireTokens, allowHost }: ServeOptions) => ({
  host,
  port,
  graphiql,
  logRequests: logRequests ?? false,
  pointsPerHour: rate,
  requireTokens: requireTokens ?? false,
  hosts: allowHost ?? [],
});

async function serveWithEngine(store: Store, options: ServeOptions): Promise<void> {
  const [{ supervise }, { registeredRoots }] = [
    await import('../../jobs/index.ts'),
    await import('../../runs/roots.ts'),
  ];
  const roots = registeredRoots(options.roots);
  const supervisor = supervise({
    queue: store.jobs,
    storeFile: storeFile(options.data),
    roots: roots.folders,
    threads: options.threads,
    log: (line) => void process.stderr.write(`${line}\n`),
  });
  try {
    await serveUntilStopped(store, { ...asked(options), roots, engine: supervisor.status });
  } finally {
    await supervisor.stop();
  }
}

function hostName(text: string): string {
  if (!/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(text))
    throw new InvalidArgumentError('Expected is a name without port, like probe.example.org.');
  return text;
}

/** "models=/data/models", given once or more. */
function rootOption(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [, name, folder] = /^([A-Za-z0-9][A-Za-z0-9_.-]*)=(.+)$/.exec(text) ?? [];
  if (name === undefined || folder === undefined)
    throw new InvalidArgumentError('Expected is a name and a folder, like models=/data/models.');
  return { ...before, [name]: folder };
}
