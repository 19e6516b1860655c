import { randomUUID } from 'node:crypto';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { ErrorCode } from '../../schema/error-codes.ts';
import { StreamLimit } from '../../schema/index.ts';
import { requestTimeoutMs } from '../../schema/limits.ts';
import { anonymous, jobStates } from '../db/index.ts';
import { explainError } from '../lib/explain-error.ts';
import { createAccess, stranger } from './access.ts';
import { allowedHosts } from './allowed-hosts.ts';
import { createDocuments, createGraph } from './graphql.ts';
import { safeHeaders } from './headers.ts';
import { jsonLog } from './log.ts';
import { createMetrics } from './metrics.ts';
import { createReader } from './reader/reader.ts';
import { RefusedTokens } from './refused-tokens.ts';
import { refuse } from './respond.ts';
import type { Call, Services } from './route.ts';
import { routes } from './routes/index.ts';
import { urlKeyBeside } from './url-key.ts';
import { type UrlSigner, urlSigner } from './url-signer.ts';

export interface ServerOptions extends Pick<
  Services,
  | 'store'
  | 'graphiql'
  | 'plainPost'
  | 'roots'
  | 'engine'
  | 'pointsPerHour'
  | 'timeoutMs'
  | 'dearCost'
  | 'dearSearch'
  | 'readerEntry'
> {
  /** Who brings no token is a stranger even while the store has none; without it, its owner. */
  requireTokens?: boolean;
  /** Names that clients may use for this server, beside those of this machine and the address they reach. */
  hosts?: readonly string[];
  /** Takes the log, a line of JSON at a time; standard error when not given. */
  log?: (line: string) => void;
  /** Whether the log has a line for each request, beside those for failures of ours. */
  logRequests?: boolean;
}

const longestUrl = 8 * 1024;

/** Every route of routes/, under the headers and limits that all share. Not listening yet. */
export function createServer({ log: write = toStandardError, ...options }: ServerOptions): Server {
  const { store, requireTokens = false } = options;
  const log = jsonLog(write, options.logRequests ?? false);
  let made: UrlSigner | undefined;
  const signer = () => (made ??= urlSigner(urlKeyBeside(store.file)));
  const refusedTokens = new RefusedTokens(store, (error) =>
    log({ level: 'error', requestId: 'none', message: explainError(error) }),
  );
  const access = createAccess({ store, requireTokens, signer, refused: refusedTokens });
  const seenByStrangers = store.as(anonymous);
  const isAllowedHost = allowedHosts(options.hosts ?? []);
  const documents = createDocuments();
  const jobs = () => Object.fromEntries(jobStates.map((state) => [state, store.jobs.count(state)]));
  const metrics = createMetrics({ documents: () => documents.kept, jobs });
  const streams = new StreamLimit();
  // A statement cannot be interrupted: what runs on past the time that queries have is ended with its process.
  const reader = (niceness: number) =>
    createReader({
      storeFile: store.file,
      timeoutMs: (options.timeoutMs ?? requestTimeoutMs) + 1_000,
      niceness,
      ...(options.readerEntry && { entry: options.readerEntry }),
    });
  const readers = { known: reader(5), strangers: reader(10) };
  const graph = createGraph({ ...options, log, readers, signer, metrics, documents, streams });
  const services: Services = {
    ...options,
    log,
    access,
    signer,
    graph,
    metrics,
    readers,
    streams,
    stopping: () => !server.listening,
  };
  const table = routes(services);

  /** Answers, and returns the name of the route that did; null where none matches. */
  function dispatch(
    request: IncomingMessage,
    response: ServerResponse,
    id: string,
  ): { route: string | null; answered: unknown } {
    const refused = (...refusal: [status: number, code: ErrorCode, message: string]) => ({
      route: null,
      answered: refuse(response, ...refusal),
    });
    const { method = '', url = '', headers } = request;
    for (const [name, value] of safeHeaders) response.setHeader(name, value);
    response.setHeader('X-Request-Id', id);
    if (!isAllowedHost(headers.host, request.socket))
      return refused(
        421,
        'HOST_NOT_ALLOWED',
        'this server does not answer to this name (serve --allow-host)',
      );
    if (url.length > longestUrl)
      return refused(414, 'URI_TOO_LONG', `a URL has at most ${longestUrl} characters; send a query by POST`);
    const origin = `http://${headers.host}`;
    if (!URL.canParse(url, origin)) return refused(400, 'BAD_REQUEST', 'the URL is malformed');
    const { pathname: path, searchParams: search } = new URL(url, origin);
    for (const route of table) {
      const [whole, ...parts] = route.path.exec(path) ?? [];
      if (whole === undefined) continue;
      if (!route.methods.some((allowed) => allowed === method)) {
        response.setHeader('Allow', route.methods.join(', '));
        return refused(405, 'METHOD_NOT_ALLOWED', `use ${route.methods.join(' or ')} here`);
      }
      const call: Call = {
        ...stranger,
        id,
        store: seenByStrangers,
        request,
        response,
        parts,
        origin,
        path,
        search,
      };
      return { route: route.name, answered: access.admit(route, call) && route.handle(call) };
    }
    return refused(404, 'NOT_FOUND', 'nothing here; the graph is at /graphql');
  }

  const server = createHttpServer(
    {
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      connectionsCheckingInterval: 5_000, // how often those two are looked at
      keepAliveTimeout: 65_000, // longer than proxies keep theirs, so that it is they who close
    },
    async (request, response) => {
      const id = randomUUID();
      const { method = '' } = request;
      const path = request.url?.split('?', 1)[0] ?? '';
      const begun = performance.now();
      const wrote = request.socket.bytesWritten;
      let route: string | null = null;
      response.once('close', () => {
        const ms = performance.now() - begun;
        metrics.request(route ?? 'none', method, response.statusCode, ms);
        if (!options.logRequests) return;
        const bytes = request.socket.bytesWritten - wrote;
        log({
          level: 'info',
          requestId: id,
          method,
          path,
          route,
          status: response.statusCode,
          bytes,
          ms: Math.round(ms * 1e3) / 1e3,
        });
      });
      try {
        const { route: taken, answered } = dispatch(request, response, id);
        route = taken;
        await answered;
      } catch (error) {
        log({ level: 'error', requestId: id, message: `${method} ${path}: ${explainError(error)}` });
        if (response.headersSent) response.destroy();
        else refuse(response, 500, 'INTERNAL', 'something went wrong on our side; the log has the details');
      }
    },
  );
  server.on('close', () => refusedTokens.flush());
  server.once('close', () => Object.values(readers).forEach((each) => void each.stop()));
  server.setTimeout(60_000); // a client that neither reads nor writes for this long
  server.maxRequestsPerSocket = 10_000;
  server.maxConnections = 2_000;
  return server;
}

const toStandardError = (line: string): void => void process.stderr.write(`${line}\n`);
