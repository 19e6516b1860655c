import { GraphQLError, Source, type ExecutionResult } from 'graphql';
import type { GraphContext } from '../../../schema/index.ts';
import type { Viewer } from '../../db/index.ts';
import type { LogEntry } from '../log.ts';
import type { Signatory } from '../url-signer.ts';
import { RawJson } from './raw-json.ts';

/** A query on its way to the reader: all that its answer depends on. */
export interface ReaderRequest extends Pick<GraphContext, 'origin' | 'guarded' | 'costLimit' | 'service'> {
  source: string;
  operationName: string | null;
  variables: Record<string, unknown> | null;
  viewer: Viewer;
  /** On whose behalf URLs are signed; null: they are not. */
  token: Signatory | null;
  requestId: string;
  /** Milliseconds that it may take. */
  timeoutMs: number;
}

/** What came of it. */
export interface ReaderAnswer {
  /** JSON in UTF-8; undefined where nothing was executed. */
  data: Uint8Array | undefined;
  errors: SentError[] | undefined;
  /** Rows that were read for it. */
  rows: number;
  /** What the server's log is to say of it. */
  log: LogEntry[];
}

interface SentError {
  message: string;
  positions: readonly number[] | undefined;
  path: readonly (string | number)[] | undefined;
  extensions: Record<string, unknown>;
}

/** A result as it is sent. */
export const pack = ({ data, errors }: ExecutionResult): Pick<ReaderAnswer, 'data' | 'errors'> => ({
  data: data === undefined ? undefined : Buffer.from(JSON.stringify(data)),
  errors: errors?.map(({ message, positions, path, extensions }) => ({
    message,
    positions,
    path,
    extensions,
  })),
});

/** The same result, with its data as they came. */
export function unpack({ data, errors }: ReaderAnswer, source: string): ExecutionResult {
  const body = new Source(source);
  const read = errors?.map(
    ({ message, positions = null, path = null, extensions }) =>
      new GraphQLError(message, { source: body, positions, path, extensions }),
  );
  return { ...(read && { errors: read }), ...(data && { data: new RawJson(data) as never }) };
}
