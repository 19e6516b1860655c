import { CodedError } from '../../lib/coded-error.ts';
import type { Connection } from '../connection.ts';
import { idempotencyKeys } from '../tables/idempotency-keys.ts';
import { finder, inserter } from '../table-sql.ts';

const keptMs = 24 * 60 * 60 * 1000;

/** The same idempotency key came with another request. */
export class IdempotencyConflictError extends CodedError {
  declare readonly code: 'CONFLICT';

  constructor(key: string) {
    super(
      'CONFLICT',
      `the idempotency key ${JSON.stringify(key)} was used for another request in the last 24 hours; choose a new one`,
    );
  }
}

export function idempotencyKeyStore(sqlite: Connection) {
  const find = finder(sqlite, idempotencyKeys, 'client = ? and key = ?');
  const insert = inserter(sqlite, idempotencyKeys);
  const forget = sqlite.prepare('delete from idempotency_keys where created_at < ?');

  const once = sqlite.transaction(
    (request: { client: string; key: string; payloadHash: string }, work: () => string | null) => {
      forget.run(Date.now() - keptMs);
      const known = find(request.client, request.key);
      if (known && known.payloadHash !== request.payloadHash) throw new IdempotencyConflictError(request.key);
      if (known) return { resultKey: known.resultKey, repeated: true };
      const resultKey = work();
      insert({ ...request, resultKey, createdAt: Date.now() });
      return { resultKey, repeated: false };
    },
  );

  return {
    /**
     * Does a client's work once for each of its keys, in one transaction, and gives the key of what it made every time.
     * Work that throws has not been done. @throws IdempotencyConflictError
     */
    once: (
      request: { client: string; key: string; payloadHash: string },
      work: () => string | null,
    ): { resultKey: string | null; repeated: boolean } => once.immediate(request, work),
  };
}
