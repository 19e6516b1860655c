import type { JsonObject } from '../../lib/canonical-json.ts';
import type { Connection } from '../connection.ts';
import { finder, inserter } from '../table-sql.ts';
import { exchanges } from '../tables/exchanges.ts';

/** A request and its reply, as graders know it; `Reply` is theirs. */
export type ExchangeRow<Reply = unknown> = Omit<typeof exchanges.$inferSelect, 'request' | 'reply'> & {
  request: JsonObject;
  reply: Reply;
};

/** Requests and replies by what was asked. They hold what organisms were trained on, so no viewer's stores have them. */
export function exchangeStore(sqlite: Connection) {
  const find = finder(sqlite, exchanges, 'key = ?');
  const insert = inserter(sqlite, exchanges);
  const put = sqlite.transaction((exchange: ExchangeRow): void => {
    if (find(exchange.key) === undefined) insert(exchange);
  });
  return {
    /** `Reply`: what it was put as. */
    get: <Reply>(key: string) => find(key) as ExchangeRow<Reply> | undefined,
    /** The first reply stands: whoever asked at the same time has been answered by it, or will be. */
    put: (exchange: ExchangeRow): void => void put.immediate(exchange),
  };
}
