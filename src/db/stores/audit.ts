import { canonicalJson, type JsonObject, type JsonValue } from '../../lib/canonical-json.ts';
import { sha256 } from '../../lib/sha256.ts';
import type { Connection } from '../connection.ts';
import { rowReader, selectList } from '../table-sql.ts';
import { audit } from '../tables/audit.ts';
import type { Viewer } from '../visible.ts';

export type AuditRow = typeof audit.$inferSelect;

/** Something that was done. */
export interface AuditEvent {
  /** Noun and verb: organismUpdate, token.create, run.export. */
  action: string;
  subject?: string | null;
  requestId?: string | null;
  details?: JsonObject;
}

/** What the first row's hash goes on from. */
const beginning = '0'.repeat(64);

/** SHA-256 of the hash before and of everything in the row but its own, as canonical JSON. */
const hashOf = (before: string, { hash: _, ...content }: AuditRow): string =>
  sha256(`${before}\n${canonicalJson(content as JsonValue)}`);

export function auditStore(sqlite: Connection, viewer: Viewer) {
  const last = sqlite.prepare('select id, hash from audit order by id desc limit 1');
  const insert = sqlite.prepare(
    `insert into audit (id, created_at, viewer, token_id, team_id, action, subject, request_id, details, hash)
     values (@id, @createdAt, @viewer, @tokenId, @teamId, @action, @subject, @requestId, @details, @hash)`,
  );
  const record = sqlite.transaction(
    ({ action, subject = null, requestId = null, details = {} }: AuditEvent): AuditRow => {
      const before = (last.get() as Pick<AuditRow, 'id' | 'hash'> | undefined) ?? { id: 0, hash: beginning };
      const { kind, tokenId, teamId } = viewer;
      const row = {
        id: before.id + 1,
        createdAt: new Date().toISOString(),
        viewer: kind,
        tokenId,
        teamId,
        action,
        subject,
        requestId,
        details,
        hash: '',
      };
      row.hash = hashOf(before.hash, row);
      insert.run({ ...row, details: JSON.stringify(details) });
      return row;
    },
  );
  return {
    /** Appends what this viewer did. In a transaction it stands or falls with it. */
    record: (event: AuditEvent): AuditRow => record.immediate(event),
  };
}

/** The log as its owner reads it. */
export function auditLog(sqlite: Connection) {
  const read = rowReader(audit);
  const newest = sqlite.prepare(`select ${selectList(audit)} from audit order by id desc limit ?`);
  const after = sqlite.prepare(`select ${selectList(audit)} from audit where id > ? order by id limit 1000`);
  return {
    /** The newest so many, the oldest of them first. */
    newest: (most: number): AuditRow[] => newest.all(most).map(read).reverse(),

    /**
     * Walks the whole chain. `brokenAt`: the first row that does not follow from the one before it, by place or by hash; null where
     * every one does. `head`: hash of the last row; kept elsewhere, it shows later whether rows were cut off or all made anew.
     */
    verify(expected?: string): { rows: number; head: string; brokenAt: number | null; hasExpected: boolean } {
      let [rows, head, hasExpected] = [0, beginning, expected === undefined || expected === beginning];
      for (;;) {
        const batch = after.all(rows).map(read);
        for (const row of batch) {
          if (row.id !== rows + 1 || hashOf(head, row) !== row.hash)
            return { rows, head, brokenAt: row.id, hasExpected };
          rows = row.id;
          head = row.hash;
          hasExpected ||= head === expected;
        }
        if (batch.length === 0) return { rows, head, brokenAt: null, hasExpected };
      }
    },
  };
}
