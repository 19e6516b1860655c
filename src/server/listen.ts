import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ListenError } from './errors.ts';
import { isLoopback } from './loopback.ts';

export interface Listening {
  /** Where clients find it, without a slash at the end. */
  url: string;
  port: number;
  /** Stops taking requests, lets those under way end for up to ten seconds, then drops them. */
  close(): Promise<void>;
}

/**
 * Binds to a loopback address, or to any where the store has tokens; port 0 picks a free one.
 * @throws ListenError for another address without tokens, where strangers would be the owner, or a port we cannot have
 */
export async function listen(
  server: Server,
  { host = '127.0.0.1', port, tokens = false }: { host?: string; port: number; tokens?: boolean },
): Promise<Listening> {
  if (!isLoopback(host) && !tokens) {
    throw new ListenError(
      'ADDRESS_NEEDS_TOKENS',
      `cannot listen on ${host}: without tokens anybody there could read and change everything; make one first (deltascope token create), or use 127.0.0.1, ::1 or localhost`,
    );
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explain(error, host, port)));
    server.listen({ host, port }, resolve);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    close: () =>
      new Promise((resolve) => {
        const impatient = setTimeout(() => server.closeAllConnections(), 10_000);
        server.close(() => {
          clearTimeout(impatient);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

function explain(error: NodeJS.ErrnoException, host: string, port: number): unknown {
  if (error.code === 'EADDRINUSE') {
    return new ListenError(
      'PORT_TAKEN',
      `port ${port} on ${host} is taken; choose another, or 0 for any free one`,
    );
  }
  if (error.code === 'EACCES') {
    return new ListenError(
      'PORT_FORBIDDEN',
      `port ${port} on ${host} needs more rights; choose one above 1023`,
    );
  }
  return error;
}
