import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Memory, event loop and the like: of the process, so once for all its servers. */
let process: Registry | undefined;

function ofProcess(): Registry {
  if (!process) {
    process = new Registry();
    collectDefaultMetrics({ register: process });
  }
  return process;
}

/** Numbers that are read when somebody asks. */
export interface Readings {
  documents: () => { bytes: number; entries: number };
  /** Jobs by state; absent where the server runs none. */
  jobs?: (() => Readonly<Record<string, number>>) | undefined;
}

/** What a server counts of its work, for Prometheus. */
export function createMetrics({ documents, jobs }: Readings) {
  const registry = new Registry();
  const registers = [registry];
  const requests = new Counter({
    name: 'deltascope_http_requests_total',
    help: 'Requests answered, by route, method and status.',
    labelNames: ['route', 'method', 'status'],
    registers,
  });
  const seconds = new Histogram({
    name: 'deltascope_http_request_duration_seconds',
    help: 'Time from the head of a request to the end of its answer, by route.',
    labelNames: ['route'],
    buckets: [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30],
    registers,
  });
  const errors = new Counter({
    name: 'deltascope_graphql_errors_total',
    help: 'Errors in answers of the graph, by code.',
    labelNames: ['code'],
    registers,
  });
  const rows = new Histogram({
    name: 'deltascope_graphql_rows',
    help: 'Rows that a request to the graph read, a text or a vector being one per 4 KiB.',
    buckets: [1, 10, 100, 1_000, 5_000, 20_000],
    registers,
  });
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  gauge(
    'deltascope_documents_bytes',
    'Estimated bytes of the documents kept, parsed and compiled.',
    () => documents().bytes,
  );
  gauge('deltascope_documents', 'Documents kept.', () => documents().entries);
  if (jobs) {
    new Gauge({
      name: 'deltascope_jobs',
      help: 'Jobs by state.',
      labelNames: ['state'],
      registers,
      collect() {
        for (const [state, count] of Object.entries(jobs())) this.set({ state }, count);
      },
    });
  }
  ofProcess();
  return {
    request(route: string, method: string, status: number, ms: number): void {
      requests.inc({ route, method, status });
      seconds.observe({ route }, ms / 1_000);
    },
    graphqlError: (code: string): void => errors.inc({ code }),
    graphqlRows: (count: number): void => rows.observe(count),
    contentType: registry.contentType,
    /** The text that Prometheus reads. */
    text: async (): Promise<string> => (await registry.metrics()) + (await ofProcess().metrics()),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
