import type { IncomingMessage, ServerResponse } from 'node:http';
import type { JobServices } from '../../schema/index.ts';
import type { Store } from '../db/index.ts';
import type { EngineStatus } from '../jobs/index.ts';

/** What routes may use; one for each server. */
export interface Services {
  store: Store;
  /** Whether browsers are shown GraphiQL. */
  graphiql: boolean;
  /** Takes one line per failure of ours. */
  log: (line: string) => void;
  /** Folders that clients may name files in; none when left out. */
  roots?: JobServices['roots'];
  /** Counts the streams that clients listen to. */
  streams: JobServices['streams'];
  /** How the engine is; there is none when left out. */
  engine?: () => EngineStatus;
  /** false: every request to /graphql takes yoga's way. For tests that compare the two. */
  plainPost?: boolean;
}

/** One request on its way through a route. */
export interface Call {
  /** Names this request in answers and in the log. */
  id: string;
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
  /** Answers, at once or later. What it throws becomes a 500, and a line in the log. */
  handle(call: Call): unknown;
}

/** Whose requests are counted together. */
export const clientOf = ({ request }: Call): string => request.socket.remoteAddress ?? '';
