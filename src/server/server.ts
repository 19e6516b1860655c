import { randomUUID } from 'node:crypto';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { StreamLimit } from '../../schema/index.ts';
import { safeHeaders } from './headers.ts';
import { isLoopbackHost } from './loopback.ts';
import { refuse } from './respond.ts';
import type { Services } from './route.ts';
import { routes } from './routes/index.ts';

export interface ServerOptions extends Pick<
  Services,
  'store' | 'graphiql' | 'plainPost' | 'roots' | 'engine'
> {
  /** Takes one line per failure of ours; standard error when not given. */
  log?: (line: string) => void;
}

/** Every route of routes/, under the headers and limits that all share. Not listening yet. */
export function createServer({ log = toStandardError, ...options }: ServerOptions): Server {
  const table = routes({ ...options, log, streams: new StreamLimit() });

  function dispatch(request: IncomingMessage, response: ServerResponse): unknown {
    for (const [name, value] of Object.entries(safeHeaders)) response.setHeader(name, value);
    if (!isLoopbackHost(request.headers.host)) {
      return refuse(
        response,
        421,
        'HOST_NOT_ALLOWED',
        'this server answers to localhost, 127.0.0.1 and [::1] only',
      );
    }
    const origin = `http://${request.headers.host}`;
    if (!URL.canParse(request.url ?? '', origin))
      return refuse(response, 400, 'BAD_REQUEST', 'the URL is malformed');
    const { pathname: path, searchParams: search } = new URL(request.url ?? '', origin);
    for (const route of table) {
      const [whole, ...parts] = route.path.exec(path) ?? [];
      if (whole === undefined) continue;
      if (!route.methods.some((method) => method === request.method)) {
        response.setHeader('Allow', route.methods.join(', '));
        return refuse(response, 405, 'METHOD_NOT_ALLOWED', `use ${route.methods.join(' or ')} here`);
      }
      return route.handle({ id: randomUUID(), request, response, parts, origin, path, search });
    }
    refuse(response, 404, 'NOT_FOUND', 'nothing here; the graph is at /graphql');
  }

  const server = createHttpServer(
    { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 5_000 },
    async (request, response) => {
      try {
        await dispatch(request, response);
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

const toStandardError = (line: string): void => void process.stderr.write(`${line}\n`);
