import type { JsonObject } from '../lib/canonical-json.ts';
import type { ChatReply } from './chat.ts';

/** A request and its reply, with all that made them. JSON throughout, and no key in it. */
export interface Exchange<Reply = ChatReply> {
  /** SHA-256 of what was asked, by whom, of which model; the random delimiter left out. */
  key: string;
  grader: string;
  graderVersion: number;
  promptDigest: string;
  provider: string;
  endpoint: string;
  /** Asked for, and as it named itself. */
  model: string;
  answeredBy: string;
  /** As sent and as received; `reply.raw` is verbatim. */
  request: JsonObject;
  reply: Reply;
  /** When the reply had come, ISO 8601 in UTC; how long the last attempt took, and how many there were. */
  at: string;
  durationMs: number;
  attempts: number;
  /** By the prices given; null without. */
  cost: number | null;
}

/** Where exchanges are kept, so that none is paid for twice. */
export interface ExchangeStore<Reply = ChatReply> {
  get(key: string): Exchange<Reply> | undefined | Promise<Exchange<Reply> | undefined>;
  /** @returns what stands under the key: the first that was put, which may be somebody else's. Nothing else may be judged by. */
  put(exchange: Exchange<Reply>): Exchange<Reply> | Promise<Exchange<Reply>>;
}

/** For as long as the process lives. */
export function memoryExchanges(): ExchangeStore & { all(): Exchange[] } {
  const known = new Map<string, Exchange>();
  return {
    get: (key) => known.get(key),
    put(exchange) {
      const first = known.get(exchange.key) ?? exchange;
      known.set(exchange.key, first);
      return first;
    },
    all: () => [...known.values()],
  };
}
