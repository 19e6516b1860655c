/** One line of the log. What clients sent beyond the path, such as queries, variables and tokens, does not belong in it. */
export interface LogEntry {
  level: 'info' | 'audit' | 'error';
  /** The id that the client was given. */
  requestId: string;
  /** What failed, or was done. */
  message?: string;
  /** Of a request that is over: `route` is the pattern it took, null for none; `ms` until its end. */
  method?: string;
  path?: string;
  route?: string | null;
  status?: number;
  bytes?: number;
  ms?: number;
}

export type Log = (entry: LogEntry) => void;

/** Writes entries as one line of JSON each, with the time; those of requests only when asked. */
export const jsonLog =
  (write: (line: string) => void, requests: boolean): Log =>
  (entry) => {
    if (entry.level !== 'info' || requests)
      write(JSON.stringify({ time: new Date().toISOString(), ...entry }));
  };
