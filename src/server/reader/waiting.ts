/** What waits, of many clients: they take turns, and what one sends first is first of its own. */
export class Waiting<Item> {
  readonly #most: { ofAll: number; ofClient: number };
  /** In the order of their turns; a client without items has no place. */
  readonly #clients = new Map<string, Item[]>();
  #size = 0;

  constructor(most: { ofAll: number; ofClient: number }) {
    this.#most = most;
  }

  /** False, and it is not taken, where too many wait. */
  push(client: string, item: Item): boolean {
    const own = this.#clients.get(client);
    if (this.#size >= this.#most.ofAll || (own?.length ?? 0) >= this.#most.ofClient) return false;
    if (own) own.push(item);
    else this.#clients.set(client, [item]);
    this.#size++;
    return true;
  }

  /** Takes the next; undefined where nothing waits. */
  shift(): Item | undefined {
    for (const [client, items] of this.#clients) {
      const item = items.shift();
      this.#clients.delete(client);
      if (items.length > 0) this.#clients.set(client, items); // its next turn is the last
      this.#size--;
      return item;
    }
    return undefined;
  }

  /** Takes one out of turn; false where it does not wait. */
  delete(client: string, item: Item): boolean {
    const items = this.#clients.get(client);
    const place = items?.indexOf(item) ?? -1;
    if (!items || place < 0) return false;
    items.splice(place, 1);
    if (items.length === 0) this.#clients.delete(client);
    this.#size--;
    return true;
  }
}
