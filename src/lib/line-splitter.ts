const newline = 0x0a;

/** Puts the lines of a byte stream together, chunk by chunk. Lines come without their \n; a \r before it stays. */
export class LineSplitter {
  readonly #maxBytes: number;
  readonly #tooLong: () => Error;
  #held: Buffer[] = [];
  #heldBytes = 0;

  /** Stops with the error of `tooLong` rather than hold a line of more than `maxBytes`. */
  constructor(maxBytes: number, tooLong: () => Error) {
    this.#maxBytes = maxBytes;
    this.#tooLong = tooLong;
  }

  /** The lines that this chunk completes. */
  *push(chunk: Buffer): Generator<Buffer> {
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      this.#hold(chunk.subarray(start, end));
      start = end + 1;
      yield this.#release();
    }
    this.#hold(chunk.subarray(start));
  }

  /** The last line, when the stream does not end in \n. */
  *end(): Generator<Buffer> {
    if (this.#heldBytes > 0) yield this.#release();
  }

  #hold(part: Buffer): void {
    this.#held.push(part);
    this.#heldBytes += part.length;
    if (this.#heldBytes > this.#maxBytes) throw this.#tooLong();
  }

  #release(): Buffer {
    const line = this.#held.length === 1 ? (this.#held[0] as Buffer) : Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    return line;
  }
}
