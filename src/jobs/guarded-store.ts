import type { Store } from '../db/index.ts';

const writes = new Set(['add', 'save']);

/** The same store, but every write is one transaction with a check before it; what the check throws, nothing was written. */
export function guardedStore(store: Store, check: () => void): Store {
  const transaction = <T>(work: () => T): T =>
    store.transaction(() => {
      check();
      return work();
    });
  const guarded = (part: object): object =>
    Object.fromEntries(
      Object.entries(part).map(([name, member]: [string, unknown]) => [
        name,
        writes.has(name) && typeof member === 'function'
          ? (...given: unknown[]): unknown => transaction(() => member(...given) as unknown)
          : member,
      ]),
    );
  return {
    ...(Object.fromEntries(
      Object.entries(store).map(([name, part]: [string, unknown]) => [
        name,
        typeof part === 'object' && part !== null ? guarded(part) : part,
      ]),
    ) as Store),
    transaction,
  };
}
