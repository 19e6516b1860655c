/** Keeps the entries used last, as many as fill `most` bytes by the sizes their owner gives. */
export class ByteLru<Value> {
  readonly #most: number;
  readonly #entries = new Map<string, { value: Value; bytes: number }>(); // in the order of use, oldest first
  #bytes = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Bytes of all entries together. */
  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** Puts or replaces an entry; one larger than everything allowed is not kept. */
  set(key: string, value: Value, bytes: number): void {
    this.delete(key);
    if (bytes > this.#most) return;
    this.#entries.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#most) break;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }
}
