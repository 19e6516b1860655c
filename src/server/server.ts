import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Store } from '../db/index.ts';
import { packageVersion } from '../lib/package-root.ts';
import { ListenError } from './errors.ts';
import { createGraph } from './graphql.ts';
import { isLoopback, isLoopbackHost } from './loopback.ts';
import { refuse, respondJson } from './respond.ts';
import { serveVector, vectorPath } from './vectors.ts';

export interface ServerOptions {
  store: Store;
  /** Whether /graphql shows GraphiQL to browsers. */
  graphiql: boolean;
  /** Takes one line per failure of ours; standard error when not given. */
  log?: (line: string) => void;
}

const nothing = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
// GraphiQL is one page with its scripts, styles, fonts and worker sources inside; it may talk to us only.
const graphiqlPolicy = `${nothing}; script-src 'unsafe-inline' blob:; style-src 'unsafe-inline'; worker-src blob: data:; connect-src 'self'; img-src 'self' data:; font-src data:`;

/** The graph at /graphql, vectors under /v1/vectors/, /health. Not listening yet. */
export function createServer({ store, graphiql, log = toStandardError }: ServerOptions): Server {
  const graph = createGraph({ store, graphiql, log });

  function route(request: IncomingMessage, response: ServerResponse): unknown {
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Referrer-Policy', 'no-referrer');
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
    response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
    response.setHeader('Content-Security-Policy', nothing);
    if (!isLoopbackHost(request.headers.host)) {
      return refuse(
        response,
        421,
        'HOST_NOT_ALLOWED',
        'this server answers to localhost, 127.0.0.1 and [::1] only',
      );
    }
    const base = `http://${request.headers.host}`;
    if (!URL.canParse(request.url ?? '', base))
      return refuse(response, 400, 'BAD_REQUEST', 'the URL is malformed');
    const { pathname, searchParams } = new URL(request.url ?? '', base);
    const allows = (...methods: string[]): boolean => {
      if (methods.includes(request.method ?? '')) return true;
      response.setHeader('Allow', methods.join(', '));
      refuse(response, 405, 'METHOD_NOT_ALLOWED', `use ${methods.join(' or ')} here`);
      return false;
    };

    if (pathname === '/graphql') {
      if (!allows('GET', 'POST')) return;
      // JSON only: other types come from plain forms of other sites, without asking the browser's leave.
      if (
        request.method === 'POST' &&
        !/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')
      ) {
        return refuse(response, 415, 'UNSUPPORTED_MEDIA_TYPE', 'send a query as application/json');
      }
      const page =
        graphiql && request.method === 'GET' && (request.headers.accept ?? '').includes('text/html');
      if (page) response.setHeader('Content-Security-Policy', graphiqlPolicy);
      return graph(request, response);
    }
    const vector = vectorPath(pathname);
    if (vector) {
      return (
        allows('GET', 'HEAD') && serveVector(store, vector, searchParams.get('sha256'), request, response)
      );
    }
    if (pathname === '/health') {
      return allows('GET', 'HEAD') && respondJson(response, 200, { status: 'ok', version: packageVersion() });
    }
    if (pathname === '/' && graphiql) {
      return allows('GET', 'HEAD') && response.writeHead(302, { Location: '/graphql' }).end();
    }
    refuse(response, 404, 'NOT_FOUND', 'nothing here; the graph is at /graphql');
  }

  const server = createHttpServer(
    { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 5_000 },
    async (request, response) => {
      try {
        await route(request, response);
      } catch (error) {
        log(`${request.method} ${request.url}: ${error instanceof Error ? error.stack : String(error)}`);
        if (response.headersSent) response.destroy();
        else refuse(response, 500, 'INTERNAL', 'something went wrong on our side; the log has the details');
      }
    },
  );
  server.setTimeout(60_000); // a client that neither reads nor writes for this long
  server.maxRequestsPerSocket = 10_000;
  server.maxConnections = 2_000;
  return server;
}

export interface Listening {
  /** Where clients find it, without a slash at the end. */
  url: string;
  port: number;
  /** Stops taking requests, lets those under way end for up to five seconds, then drops them. */
  close(): Promise<void>;
}

/**
 * Binds to a loopback address; port 0 picks a free one.
 * @throws ListenError for another address (there are no access tokens yet) or a port we cannot have
 */
export async function listen(
  server: Server,
  { host = '127.0.0.1', port }: { host?: string; port: number },
): Promise<Listening> {
  if (!isLoopback(host)) {
    throw new ListenError(
      'ADDRESS_NOT_LOOPBACK',
      `cannot listen on ${host}: anybody there could read everything; use 127.0.0.1, ::1 or localhost`,
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
        const impatient = setTimeout(() => server.closeAllConnections(), 5_000);
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

const toStandardError = (line: string): void => void process.stderr.write(`${line}\n`);
