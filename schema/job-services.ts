import { type RegisteredRoots, registeredRoots } from '../src/runs/roots.ts';
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

  /** What ends this stream's place, once; undefined where the client has as many as it may. */
  enter(client: string): (() => void) | undefined {
    const open = this.#open.get(client) ?? 0;
    if (open >= maxStreamsPerClient) return undefined;
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
