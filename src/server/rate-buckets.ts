/** How a client stands after a request. */
export interface Standing {
  /** Whether the points were taken. */
  taken: boolean;
  /** Whole points that it may still spend. */
  remaining: number;
  /** Seconds until it may spend what was refused; 0 where nothing was. */
  retryAfter: number;
  /** Seconds until everything is there again. */
  reset: number;
}

interface Bucket {
  /** Points that were spent and have not run out yet, as of `at`. */
  level: number;
  at: number;
}

const hourMs = 60 * 60 * 1_000;

/**
 * A leaky bucket for each client: what it spends is poured in and runs out evenly, as much in an hour as the bucket holds. Buckets
 * used longest ago are forgotten first; they are the emptiest as well, unless somebody pays with thousands of addresses for it.
 */
export class RateBuckets {
  readonly pointsPerHour: number;
  readonly #mostClients: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>(); // in the order of use, oldest first

  /** `now` in milliseconds on a clock that never jumps. */
  constructor(pointsPerHour: number, { mostClients = 10_000, now = () => performance.now() } = {}) {
    this.pointsPerHour = pointsPerHour;
    this.#mostClients = mostClients;
    this.#now = now;
  }

  /** Clients that are remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes so many points, or none where they are not there. */
  take(client: string, points: number): Standing {
    const bucket = this.#of(client);
    const over = bucket.level + points - this.pointsPerHour;
    if (over > 0) return this.#standing(bucket, over);
    bucket.level += points;
    return this.#standing(bucket);
  }

  /** Takes more for what turned out dearer, whether it is there or not; gives back what is negative. */
  settle(client: string, points: number): Standing {
    const bucket = this.#of(client);
    bucket.level = Math.max(0, bucket.level + points);
    return this.#standing(bucket);
  }

  #of(client: string): Bucket {
    const now = this.#now();
    const bucket = this.#buckets.get(client) ?? { level: 0, at: now };
    bucket.level = Math.max(0, bucket.level - ((now - bucket.at) * this.pointsPerHour) / hourMs);
    bucket.at = now;
    this.#buckets.delete(client);
    this.#buckets.set(client, bucket);
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= this.#mostClients) break;
      this.#buckets.delete(oldest);
    }
    return bucket;
  }

  #standing({ level }: Bucket, over = 0): Standing {
    const seconds = (points: number) => Math.ceil((points * hourMs) / this.pointsPerHour / 1_000);
    return {
      taken: over <= 0,
      remaining: Math.max(0, Math.floor(this.pointsPerHour - level)),
      retryAfter: seconds(over),
      reset: seconds(level),
    };
  }
}
