import { Command } from 'commander';
import { withStoreToRead } from '../data-folder.ts';
import { dataOption, wholeNumber } from '../options.ts';
import { serveUntilStopped } from '../serve-until-stopped.ts';

export const defaultPort = 4680;

/** Serves the store. */
export const serveCommand = (): Command =>
  new Command('serve')
    .description('serve the graph, with GraphiQL, and the vectors on this machine')
    .option('--port <n>', 'port; 0 takes any free one', wholeNumber(0, 65535), defaultPort)
    .option('--host <address>', 'loopback address to listen on', '127.0.0.1')
    .option('--no-graphiql', 'no page at /graphql for browsers')
    .option('--log-requests', 'one line of JSON on standard error for each request')
    .addOption(dataOption())
    .action((options: { data: string; port: number; host: string; graphiql: boolean; logRequests?: true }) =>
      withStoreToRead(options.data, (store) => serveUntilStopped(store, options)),
    );
