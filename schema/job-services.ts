import { type RegisteredRoots, registeredRoots } from '../src/runs/roots.ts';
import { tooManyStreams } from './errors.ts';
import { maxStreamsPerClient } from './limits.ts';

/** What jobs need beside the store. */
export interface JobServices {
  /** Folders that clients may name files in. */
  roots: RegisteredRoots;
  streams: StreamLimit;
  /** Whose streams are counted together. */
  client: string;
}

/** Counts the streams that each client listens to. */
export class StreamLimit {
  readonly #open = new Map<string, number>();

  /** @returns what ends this stream's place, once. @throws RATE_LIMITED */
  enter(client: string): () => void {
    const open = this.#open.get(client) ?? 0;
    if (open >= maxStreamsPerClient) throw tooManyStreams(maxStreamsPerClient);
    this.#open.set(client, open + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const now = (this.#open.get(client) ?? 1) - 1;
      if (now > 0) this.#open.set(client, now);
      else this.#open.delete(client);
    };
  }
}

export const jobServices = (given: Partial<JobServices> = {}): JobServices => ({
  roots: registeredRoots(),
  streams: new StreamLimit(),
  client: 'local',
  ...given,
});
