import { once } from 'node:events';
import { isIP } from 'node:net';
import type { Store } from '../db/index.ts';
import type { ServerOptions } from '../server/index.ts';
import { interruptible } from './interrupt.ts';

/** A short query to paste, for a first look. */
const firstQuery = `{ organisms(first: 3) { edges { node { name latestRun { layers(first: 1) { edges { node { layer
  diffVectors(first: 2) { edges { node { position norm diff { npyUrl } projections(variant: DIFF, sign: PROMOTED) { edges { node {
    tokens(first: 5) { edges { node { text probability } } } } } } } } } } } } } } } } }`;

/** Listens, prints where, and returns when the process is asked to stop. */
export async function serveUntilStopped(
  store: Store,
  {
    host = '127.0.0.1',
    port,
    graphiql = true,
    logRequests = false,
    roots,
    engine,
    pointsPerHour,
    requireTokens = false,
    hosts = [],
  }: { host?: string; port: number } & Partial<
    Pick<
      ServerOptions,
      'graphiql' | 'logRequests' | 'roots' | 'engine' | 'pointsPerHour' | 'requireTokens' | 'hosts'
    >
  >,
): Promise<void> {
  const { createServer, listen } = await import('../server/index.ts');
  const listening = await listen(
    createServer({
      store,
      graphiql,
      logRequests,
      pointsPerHour,
      requireTokens,
      hosts: isIP(host) === 0 ? [host, ...hosts] : hosts,
      ...(roots && { roots }),
      ...(engine && { engine }),
    }),
    { host, port, tokens: store.accessTokens.any() },
  );
  process.stdout.write(
    `\nserving ${listening.url}/graphql${graphiql ? ` (in a browser: ${listening.url})` : ''}; Ctrl-C stops\n\nA query to paste:\n\n${firstQuery}\n`,
  );
  await interruptible(async (signal) => {
    if (!signal.aborted) await once(signal, 'abort');
  });
  await listening.close();
}
