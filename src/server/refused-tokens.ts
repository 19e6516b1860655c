import { anonymous, type Presented, type Store } from '../db/index.ts';

type Reason = NonNullable<Presented['refused']>;

const windowMs = 60_000;

/**
 * Puts presented texts that opened nothing into the audit log: the first of a kind at once, those of the next minute as a number
 * with the first after it, so that trying many does not fill the log.
 */
export class RefusedTokens {
  readonly #store: Store;
  readonly #failed: (error: unknown) => void;
  readonly #now: () => number;
  readonly #windows = new Map<
    string,
    { reason: Reason; tokenId: number | undefined; since: number; untold: number }
  >();

  /** `failed` is told what keeps a line out of the log: a refusal stays one. */
  constructor(store: Store, failed: (error: unknown) => void, now: () => number = Date.now) {
    this.#store = store;
    this.#failed = failed;
    this.#now = now;
  }

  /** `tokenId` where the secret was right. */
  note(reason: Reason, tokenId?: number): void {
    const name = `${reason} ${tokenId}`;
    const now = this.#now();
    const window = this.#windows.get(name) ?? { reason, tokenId, since: -Infinity, untold: 0 };
    this.#windows.set(name, window);
    window.untold += 1;
    if (now - window.since < windowMs) return;
    window.since = now;
    this.#tell(window);
  }

  /** Tells what has not been told. */
  flush(): void {
    for (const window of this.#windows.values()) if (window.untold > 0) this.#tell(window);
  }

  #tell(window: { reason: Reason; tokenId: number | undefined; untold: number }): void {
    const { reason, tokenId, untold } = window;
    window.untold = 0;
    if (this.#store.readonly) return;
    const subject = tokenId === undefined ? null : String(tokenId);
    try {
      this.#store
        .as(anonymous)
        .audit.record({ action: 'token.refused', subject, details: { reason, times: untold } });
    } catch (error) {
      this.#failed(error);
    }
  }
}
