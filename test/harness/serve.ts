import { onTestFinished } from 'vitest';
import type { Store } from '../../src/db/index.ts';
import { createServer, listen, type ServerOptions } from '../../src/server/index.ts';

/** A server on a free loopback port, closed with the test. */
export async function serve(store: Store, options: Partial<ServerOptions> = {}) {
  const server = await listen(createServer({ store, graphiql: false, ...options }), { port: 0 });
  onTestFinished(() => server.close());
  return {
    ...server,
    get: (path: string, init?: RequestInit) => fetch(`${server.url}${path}`, { redirect: 'manual', ...init }),
    query: (body: unknown) =>
      fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Accept: 'application/graphql-response+json' },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
  };
}
