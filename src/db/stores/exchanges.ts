import type { JsonObject } from '../../lib/canonical-json.ts';
import type { Connection } from '../connection.ts';
import { storeSizes } from '../store-sizes.ts';
import { finder, inserter } from '../table-sql.ts';
import { exchanges } from '../tables/exchanges.ts';
import { bindings, type Viewer, visible, withOrganism } from '../visible.ts';
import type { GradeRow } from './grades.ts';

/** A request and its reply, as graders know it; `Reply` is theirs. */
export type ExchangeRow<Reply = unknown> = Omit<typeof exchanges.$inferSelect, 'request' | 'reply'> & {
  request: JsonObject;
  reply: Reply;
};

/** Requests and replies by what was asked. They hold what organisms were trained on, so viewers reach them by grades alone. */
export function exchangeStore(sqlite: Connection) {
  const find = finder(sqlite, exchanges, 'key = ?');
  const insert = inserter(sqlite, exchanges);
  const put = sqlite.transaction((exchange: ExchangeRow): ExchangeRow => {
    if (find(exchange.key) === undefined) insert(exchange);
    return find(exchange.key) as ExchangeRow;
  });
  return {
    /** `Reply`: what it was put as. */
    get: <Reply>(key: string) => find(key) as ExchangeRow<Reply> | undefined,
    /** The first reply stands: whoever asked at the same time has been answered by it, or will be. @returns what stands */
    put: <Reply>(exchange: ExchangeRow<Reply>) => put.immediate(exchange) as ExchangeRow<Reply>,
  };
}

/** What grades were read from, for who may see all that was asked about. */
export function gradeExchangeStore(sqlite: Connection, viewer: Viewer) {
  const find = finder(sqlite, exchanges, 'key = ?');
  // One question may have been about several organisms at once, or be read again by another version of its grader.
  const hidden = viewer.all
    ? undefined
    : sqlite.pluck(
        `select asked.value from grades, json_each(grades.exchanges) asked
         where grades.grader_id in (select id from graders where name = @grader) and not ${withOrganism(viewer, 'grades.organism_id', visible)}
           and asked.value in (select value from json_each(@exchanges))`,
      );
  const sizes = storeSizes(sqlite);
  return {
    /** Rows that `of` goes through, about. */
    looksAt: (): number => (hidden ? sizes.rows('grades') : 0),
    /** In the order they were asked; null for one that was about something else, too, which the viewer does not see. */
    of({ grader, exchanges: keys }: GradeRow): (ExchangeRow | null)[] {
      if (keys.length === 0) return [];
      const asked = { ...bindings(viewer), grader: grader.name, exchanges: JSON.stringify(keys) };
      const withheld = new Set(hidden?.all(asked) as string[] | undefined);
      return keys.map((key) => (withheld.has(key) ? null : ((find(key) as ExchangeRow | undefined) ?? null)));
    },
  };
}
