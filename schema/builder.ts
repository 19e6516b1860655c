import SchemaBuilder from '@pothos/core';
import RelayPlugin from '@pothos/plugin-relay';
import type { Stores } from '../src/db/index.ts';
import type { JsonValue } from '../src/lib/canonical-json.ts';
import { costs } from './cost.ts';
import { spend } from './spend.ts';
import { jobServices, type JobServices } from './job-services.ts';
import {
  defaultPageSize,
  maxBase64BytesPerAnswer,
  maxCost,
  maxPageSize,
  requestTimeoutMs,
} from './limits.ts';

/** What a resolver may use. */
export interface GraphContext {
  /** What the viewer of this request may see. */
  store: Stores;
  /** Scheme, host and port the client used, without a slash at the end; download URLs start with it. */
  origin: string;
  /** What this request may cost. */
  costLimit: number;
  /** Rows that lists may still read in this request, with texts and vectors counted as rows; counts down from costLimit. */
  rowsLeft: number;
  /** What may still be done where others wait for it; null: as much as it takes. */
  here: WorkHere | null;
  /** When the request must be done, on the clock of `performance.now()`. */
  deadline: number;
  /** What `serviceConfig` says of the server. */
  service: ServiceFacts;
  /** Bytes that `dataBase64` may still carry in this answer; counts down. */
  base64BytesLeft: number;
  /** On a server with tokens: the query that opens this path for so many seconds, on behalf of the viewer's token. */
  signUrl?: ((path: string, expiresIn: number) => string) | undefined;
  jobs: JobServices;
  /** Whether the viewer is still let in; long answers ask now and then. */
  isCurrent: () => boolean;
  /** Names the request in the log; null outside a server. */
  requestId: string | null;
  /** Whether this is a server with tokens, where not everybody is the owner. */
  guarded: boolean;
}

/** Work that others wait for, as long as it is done. */
export interface WorkHere {
  /** Points that may still be spent. */
  pointsLeft: number;
  /** Rows that lists may still go through without showing them. */
  rowsLeft: number;
  /** Whether it may be done elsewhere instead. A mutation's may not. */
  movable: boolean;
  /** Set where it is to be done elsewhere: what was answered here is nothing. */
  moved: boolean;
}

/** What a server has beside the store. */
export interface ServiceFacts {
  /** Points that a client may spend in an hour; null where requests are not counted. */
  pointsPerHour: number | null;
  /** Whether an engine does jobs here. */
  jobs: boolean;
  /** Whether requests need a token. */
  tokens: boolean;
  /** Whether anything can be changed. */
  writes: boolean;
}

/** A context for one request. */
export const graphContext = (
  store: Stores,
  origin: string,
  {
    signUrl,
    jobs = jobServices(),
    costLimit = maxCost.known,
    timeoutMs = requestTimeoutMs,
    service = { pointsPerHour: null, jobs: false, tokens: false, writes: !store.readonly },
    isCurrent = () => true,
    requestId = null,
    guarded = false,
  }: Partial<
    Pick<GraphContext, 'signUrl' | 'jobs' | 'costLimit' | 'service' | 'isCurrent' | 'requestId' | 'guarded'>
  > & { timeoutMs?: number } = {},
): GraphContext => ({
  store,
  jobs,
  origin,
  costLimit,
  rowsLeft: costLimit,
  here: null,
  deadline: performance.now() + timeoutMs,
  service,
  base64BytesLeft: maxBase64BytesPerAnswer,
  signUrl,
  isCurrent,
  requestId,
  guarded,
});

export const builder = new SchemaBuilder<{
  Context: GraphContext;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: { list: false; items: false };
  Connection: { count: () => number };
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: never; Output: string };
    BigInt: { Input: never; Output: number };
    Base64Bytes: { Input: never; Output: Uint8Array };
    JSON: { Input: never; Output: JsonValue };
  };
}>({
  plugins: [RelayPlugin],
  defaultFieldNullability: false,
  relay: {
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    nodeTypeOptions: { description: 'Anything with an id of its own.' },
    idFieldOptions: {
      description: 'Opaque and stable: the same thing has the same id in every copy of a store.',
    },
    pageInfoTypeOptions: { description: 'Where a page stands in its list.' },
    hasNextPageFieldOptions: { description: 'Whether rows follow this page.' },
    hasPreviousPageFieldOptions: { description: 'Whether rows precede this page.' },
    startCursorFieldOptions: { description: 'Cursor of the first row of the page; null on an empty page.' },
    endCursorFieldOptions: { description: 'Cursor of the last row of the page; null on an empty page.' },
    edgesFieldOptions: {
      description: 'The rows of the page, in order.',
      nullable: { list: false, items: false },
    },
    nodeFieldOptions: { description: 'The row itself.', nullable: false },
    pageInfoFieldOptions: { description: 'Where this page stands in the list.' },
    cursorFieldOptions: {
      description:
        'Opaque place of this row in this list, for `after` and `before` of the same field and arguments.',
    },
    firstArgOptions: {
      description: `The first rows: 0 to ${maxPageSize}, else an error. Without first and last: ${defaultPageSize}.`,
    },
    lastArgOptions: {
      description: `The last rows: 0 to ${maxPageSize}, else an error. Applied after first when both are given.`,
    },
    afterArgOptions: {
      description: 'Only rows after this cursor; one of another list is an INVALID_CURSOR error.',
    },
    beforeArgOptions: {
      description: 'Only rows before this cursor; one of another list is an INVALID_CURSOR error.',
    },
  },
});

builder.queryType({
  description:
    'What finetunes did to language models. Start at organisms and go down: runs, layers, diff vectors, then what was read out of them (projections, tokens) and done with them (steering experiments, causal effects); every node knows the way back.',
});

builder.mutationType({
  description:
    'Changes, and work to be done. What is wrong with the input itself is told in `userErrors`, and nothing was changed then. A request that is repeated with its `idempotencyKey` within 24 hours is done once.',
});

builder.subscriptionType({ description: 'What happens, as server-sent events.' });

/** Counting stops at 10,000 rows, which takes about as long as to read so many. */
const countCost = 10;

builder.globalConnectionField('totalCount', (t) =>
  t.int({
    ...costs({ weight: countCost }),
    description:
      'Rows in the whole list under the same filters. Counted only when asked for; in diffVectors, projections, tokenSearch and lists of grades over everything stored, counting stops at 10,000.',
    resolve: (page, _, context) => {
      spend(context, countCost);
      return page.count();
    },
  }),
);
