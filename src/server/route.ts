import type { IncomingMessage, ServerResponse } from 'node:http';
import type { JobServices } from '../../schema/index.ts';
import type { Store, Stores } from '../db/index.ts';
import type { EngineStatus } from '../jobs/index.ts';
import type { Access } from './access.ts';
import type { Graph } from './graphql.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { UrlSigner } from './url-signer.ts';

/** What routes may use; one for each server. */
export interface Services {
  store: Store;
  /** Whether browsers are shown GraphiQL. */
  graphiql: boolean;
  log: Log;
  metrics: Metrics;
  graph: Graph;
  /** How the engine is; absent where the server has none. */
  engine?: (() => EngineStatus) | undefined;
  /** Whether the server takes no new connections any more. */
  stopping: () => boolean;
  /** Absent where the server has no tokens. */
  access?: Access | undefined;
  /** Signs and checks URLs; there where there are tokens. */
  signer?: UrlSigner | undefined;
  /** Folders that clients may name files in; none when left out. */
  roots?: JobServices['roots'] | undefined;
  /** Counts the streams that clients listen to. */
  streams: JobServices['streams'];
  /** Points that each client may spend in the graph in an hour; left out: 200,000 where there are tokens, else no limit. */
  pointsPerHour?: number | undefined;
  /** How long a request to the graph may be at work, in place of the published time. For tests. */
  timeoutMs?: number | undefined;
  /** false: every request to /graphql takes yoga's way. For tests that compare the two. */
  plainPost?: boolean;
}

/** One request on its way through a route. */
export interface Call {
  /** Names this request in answers and in the log. */
  id: string;
  /** Whose call it is, on a server with tokens. */
  tokenId?: string | undefined;
  /** What the client may see. */
  store: Stores;
  request: IncomingMessage;
  response: ServerResponse;
  /** What the groups of the route's path matched, in order; undefined for one that took no part. */
  parts: readonly (string | undefined)[];
  /** Scheme, host and port the client used, without a slash at the end. */
  origin: string;
  /** Path of the URL, as it was sent. */
  path: string;
  search: URLSearchParams;
}

export interface Route {
  /** The path for people, with its variable parts in braces: /v1/vectors/{key}. */
  name: string;
  /** Matches whole paths. */
  path: RegExp;
  methods: readonly ('GET' | 'HEAD' | 'POST')[];
  /** Who may come in, on a server with tokens: everybody, who has a token, or also who has a URL signed for one. */
  access: 'OPEN' | 'TOKEN' | 'SIGNED';
  /** Answers, at once or later. What it throws becomes a 500, and a line in the log. */
  handle(call: Call): unknown;
}

/** Whose requests are counted together. */
export const clientOf = ({ request }: Call): string => request.socket.remoteAddress ?? '';
