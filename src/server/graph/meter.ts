import { pointsPerHour as defaultPointsPerHour, refusedDocumentCost } from '../../../schema/limits.ts';
import { RateBuckets, type Standing } from '../rate-buckets.ts';
import { type Call, clientOf } from '../route.ts';

const windowSeconds = 3_600;

/** What a request cost: as it was weighed, and as it was read. Points. */
export interface Spent {
  requested: number;
  actual: number;
}

/** Counts what clients spend in the graph, where the server does; elsewhere everything passes. */
export class Meter {
  readonly #buckets: RateBuckets | undefined;
  readonly #ownerToo: boolean;

  /**
   * @param pointsPerHour what each client may spend in an hour, the owner of the store as well; 0: as much as it likes; undefined:
   *   the default, which is not for the owner
   */
  constructor(pointsPerHour: number | undefined) {
    this.#ownerToo = pointsPerHour !== undefined;
    if (pointsPerHour !== 0) this.#buckets = new RateBuckets(pointsPerHour ?? defaultPointsPerHour);
  }

  /** What this client may spend in an hour; null: as much as it likes. */
  pointsPerHour(call: Call): number | null {
    return this.#bucketsFor(call)?.pointsPerHour ?? null;
  }

  #bucketsFor({ viewer }: Call): RateBuckets | undefined {
    return this.#ownerToo || viewer.kind !== 'OWNER' ? this.#buckets : undefined;
  }

  /** Takes what a request may cost. False, with the headers that say when to come again, where the client does not have it. */
  take(call: Call, points: number): boolean {
    const standing = this.#bucketsFor(call)?.take(clientOf(call), points);
    if (!standing) return true;
    this.#tell(call, standing);
    return standing.taken;
  }

  /** Takes what a refused document costs, whether it is there or not. */
  takeForRefusal(call: Call): void {
    this.#settle(call, refusedDocumentCost);
  }

  /** Puts right what was taken for what was requested, once it is known what was read; twice both where it took too long. */
  settle(call: Call, { requested, actual }: Spent, timedOut: boolean): Standing | undefined {
    const due = timedOut ? 2 * Math.max(requested, actual) : actual;
    return this.#settle(call, due - requested);
  }

  #settle(call: Call, points: number): Standing | undefined {
    const standing = this.#bucketsFor(call)?.settle(clientOf(call), points);
    if (standing) this.#tell(call, standing);
    return standing;
  }

  /** Names of draft-ietf-httpapi-ratelimit-headers since its version 08. */
  #tell(call: Call, { taken, remaining, reset, retryAfter }: Standing): void {
    const { response } = call;
    if (response.headersSent) return;
    response.setHeader('RateLimit-Policy', `"graph";q=${this.pointsPerHour(call)};w=${windowSeconds}`);
    response.setHeader('RateLimit', `"graph";r=${remaining};t=${reset}`);
    if (!taken) response.setHeader('Retry-After', retryAfter);
  }
}
