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
  put(exchange: Exchange<Reply>): void | Promise<void>;
}

/** For as long as the process lives. */
export function memoryExchanges(): ExchangeStore & { all(): Exchange[] } {
  const known = new Map<string, Exchange>();
  return {
    get: (key) => known.get(key),
    put(exchange) {
      known.set(exchange.key, exchange);
    },
    all: () => [...known.values()],
  };
}
