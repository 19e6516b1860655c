import { ByteLru } from '../lib/byte-lru.ts';
import { chunkBytes, type Part } from './serve-body.ts';

export interface File {
  byteLength: number;
  parts: Iterable<Part>;
}

const whole = (bytes: Buffer): Part => ({ byteLength: bytes.length, read: () => bytes });

/** Files that were read once and stay in memory, those used last. */
export class KeptFiles {
  readonly #longest: number;
  readonly #files: ByteLru<File>;
  #gathering: object | undefined;

  /** @param longest bytes of a file that is kept; longer ones are read at each download. @param most bytes of all together */
  constructor(longest: number, most: number) {
    this.#longest = longest;
    this.#files = new ByteLru(most);
  }

  get(identity: string): File | undefined {
    return this.#files.get(identity);
  }

  /**
   * The same file, kept once all of it has been read in order. Of those under way only the one that was begun last is gathered, so
   * that clients who read slowly hold neither memory nor the others up.
   */
  gathering(identity: string, { byteLength, parts }: File): File {
    if (byteLength > this.#longest) return { byteLength, parts };
    const mine = (this.#gathering = {});
    const chunks: Part[] = [];
    let [pieces, size, read]: [Buffer[], number, number] = [[], 0, 0];
    const gather = (piece: Buffer): void => {
      if (this.#gathering !== mine) return void (chunks.length = pieces.length = 0);
      pieces.push(piece);
      size += piece.length;
      read += piece.length;
      if (size < chunkBytes && read < byteLength) return;
      chunks.push(whole(Buffer.concat(pieces)));
      [pieces, size] = [[], 0];
      if (read === byteLength) this.#files.set(identity, { byteLength, parts: chunks }, byteLength);
    };
    function* gathered(): Generator<Part> {
      for (const part of parts)
        yield {
          byteLength: part.byteLength,
          read() {
            const piece = part.read();
            gather(piece);
            return piece;
          },
        };
    }
    return { byteLength, parts: gathered() };
  }
}
