import type { Viewer } from '../../db/index.ts';
import type { LogEntry } from '../log.ts';

/** A query on its way to the reader: all that its answer depends on. */
export interface ReaderRequest {
  source: string;
  operationName: string | null;
  variables: Record<string, unknown> | null;
  viewer: Viewer;
  /** Scheme, host and port the client used; download URLs start with it. */
  origin: string;
  requestId: string;
  costLimit: number;
}

/** What came of it. */
export interface ReaderAnswer {
  /** JSON in UTF-8 of the answer's data; undefined where nothing was executed. */
  data?: Uint8Array | undefined;
  errors?: {
    message: string;
    positions?: readonly number[];
    path?: readonly (string | number)[];
    extensions: Record<string, unknown>;
  }[];
  /** Rows that were read for it. */
  rows: number;
  /** What the server's log is to say of it. */
  log: LogEntry[];
}
