import type { IncomingMessage, ServerResponse } from 'node:http';
import type { JobServices } from '../../schema/index.ts';
import type { Store, Stores } from '../db/index.ts';
import type { EngineStatus } from '../jobs/index.ts';
import type { Access, Visitor } from './access.ts';
import type { Graph } from './graphql.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Reader } from './reader/reader.ts';
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
  access: Access;
  /** Signs and checks URLs; made when it is first needed. */
  signer: () => UrlSigner;
  /** Folders that clients may name files in; none when left out. */
  roots?: JobServices['roots'] | undefined;
  /** Counts the streams that clients listen to. */
  streams: JobServices['streams'];
  /** Points that each client may spend in the graph in an hour; left out: 200,000 where there are tokens, else no limit. */
  pointsPerHour?: number | undefined;
  /** How long a request to the graph may be at work, in place of the published time. For tests. */
  timeoutMs?: number | undefined;
  /** Answer dear queries, each in a process of its own: strangers cannot keep those waiting who are known. Without them they are answered here. */
  readers?: { known: Reader; strangers: Reader } | undefined;
  /** Points above which a query is dear, in place of our own. For tests. */
  dearCost?: number | undefined;
  /** Rows above which a search is dear, in place of our own. For tests. */
  dearSearch?: number | undefined;
  /** Module that readers run in place of their own. For tests. */
  readerEntry?: string | undefined;
  /** false: every request to /graphql takes yoga's way. For tests that compare the two. */
  plainPost?: boolean;
}

/** One request on its way through a route, and whose it is. */
export interface Call extends Visitor {
  /** Names this request in answers and in the log. */
  id: string;
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
  /**
   * Who may come in. OPEN: everybody, and nobody is asked who they are; VIEWER: everybody, and sees what they may; SIGNED: also who
   * has a URL signed for a token, as that token; ADMIN: who may see everything.
   */
  access: 'OPEN' | 'VIEWER' | 'SIGNED' | 'ADMIN';
  /** Answers, at once or later. What it throws becomes a 500, and a line in the log. */
  handle(call: Call): unknown;
}

/** Whose requests are counted together. */
export const clientOf = ({ request, viewer: { tokenId } }: Call): string =>
  tokenId === null ? (request.socket.remoteAddress ?? '') : `token ${tokenId}`;

/** Who takes turns with others: a team, whatever tokens it has, or as `clientOf`. */
export const turnOf = (call: Call): string =>
  call.viewer.teamId === null ? clientOf(call) : `team ${call.viewer.teamId}`;
