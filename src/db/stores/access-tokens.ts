import { timingSafeEqual } from 'node:crypto';
import { isAccessToken, newAccessToken, prefixOf } from '../../lib/access-token.ts';
import { CodedError } from '../../lib/coded-error.ts';
import { sha256 } from '../../lib/sha256.ts';
import type { Connection } from '../connection.ts';
import { NotFoundError } from '../errors.ts';
import { finder, inserter, rowReader, selectList } from '../table-sql.ts';
import { accessTokens, type Scope, scopes } from '../tables/access-tokens.ts';
import type { TeamRow } from './teams.ts';

export type TokenRow = typeof accessTokens.$inferSelect;

export interface NewToken {
  label: string;
  scopes: readonly Scope[];
  /** Only an administrator's can be without. */
  team: TeamRow | null;
  /** Days from now; 90 by default. */
  days?: number | undefined;
}

/** What a presented text is: a token that opens, or why it is none. `row` where the secret is right. */
export type Presented =
  | { row: TokenRow; refused?: undefined }
  | { row?: TokenRow; refused: 'MALFORMED' | 'UNKNOWN' | 'EXPIRED' | 'REVOKED' };

const dayMs = 24 * 60 * 60 * 1000;
const usedMs = 60_000;
const anyMs = 100;

export function accessTokenStore(sqlite: Connection) {
  const findById = finder(sqlite, accessTokens, 'id = ?');
  const read = rowReader(accessTokens);
  const selected = selectList(accessTokens);
  const byPrefix = sqlite.prepare(`select ${selected} from access_tokens where prefix = ?`);
  const all = sqlite.prepare(`select ${selected} from access_tokens order by id`);
  const any = sqlite.prepare('select 1 from access_tokens limit 1');
  const insert = inserter(sqlite, accessTokens);
  const revoke = sqlite.prepare(
    'update access_tokens set revoked_at = ? where id = ? and revoked_at is null',
  );
  const use = sqlite.prepare('update access_tokens set last_used_at = ? where id = ?');
  let had = false;
  let lookedAt = -Infinity;

  const stateOf = ({ revokedAt, expiresAt }: TokenRow, now: number): 'REVOKED' | 'EXPIRED' | undefined => {
    if (revokedAt !== null) return 'REVOKED';
    return Date.parse(expiresAt) > now ? undefined : 'EXPIRED';
  };
  const present = (row: TokenRow, now: number): Presented => {
    const refused = stateOf(row, now);
    return refused ? { row, refused } : { row };
  };

  return {
    /**
     * Whether the store has had tokens: then who comes without one is a stranger, for good. Asked at every request, and looked up at
     * most ten times a second: the first token that another process makes counts a tenth of a second later.
     */
    any(): boolean {
      if (had || performance.now() - lookedAt < anyMs) return had;
      lookedAt = performance.now();
      return (had = any.get() !== undefined);
    },

    /** A new token and its secret, which is nowhere else. @throws CodedError INVALID_ARGUMENT */
    create: sqlite.transaction(
      ({ label, scopes: asked, team, days = 90 }: NewToken): { row: TokenRow; secret: string } => {
        checkLabel(label);
        if (team === null && !asked.includes('admin'))
          throw new CodedError('INVALID_ARGUMENT', 'a token that is no administrator’s needs a team');
        const secret = newAccessToken();
        const now = Date.now();
        lookedAt = -Infinity;
        const id = insert({
          prefix: prefixOf(secret),
          hash: sha256(secret),
          label,
          scopes: scopes.filter((scope) => scope === 'read' || asked.includes(scope)),
          teamId: team?.id ?? null,
          createdAt: new Date(now).toISOString(),
          expiresAt: new Date(now + days * dayMs).toISOString(),
        });
        return { row: findById(id) as TokenRow, secret };
      },
    ),

    /** Judges what somebody presents as a token; texts that cannot be one are not looked up. */
    present(text: string, now = Date.now()): Presented {
      if (!isAccessToken(text)) return { refused: 'MALFORMED' };
      const given = Buffer.from(sha256(text), 'hex');
      let found: TokenRow | undefined;
      for (const candidate of byPrefix.all(prefixOf(text))) {
        const row = read(candidate);
        if (timingSafeEqual(Buffer.from(row.hash, 'hex'), given)) found = row;
      }
      return found ? present(found, now) : { refused: 'UNKNOWN' };
    },

    /** The token of this id where it still opens. */
    valid(id: number, now = Date.now()): TokenRow | undefined {
      const row = findById(id);
      return row && stateOf(row, now) === undefined ? row : undefined;
    },

    /** Notes that a token was used, once a minute at most. */
    used({ id, lastUsedAt }: TokenRow, now = Date.now()): void {
      if (sqlite.readonly || (lastUsedAt !== null && now - Date.parse(lastUsedAt) < usedMs)) return;
      use.run(new Date(now).toISOString(), id);
    },

    find: findById,
    /** Ends a token at once. Again is no error. @throws NotFoundError */
    revoke: sqlite.transaction((id: number): TokenRow => {
      if (!findById(id)) throw new NotFoundError('token', id);
      revoke.run(new Date().toISOString(), id);
      return findById(id) as TokenRow;
    }),
    /** In the order they were made. */
    list: (): TokenRow[] => all.all().map(read),
  };
}

function checkLabel(label: string): void {
  if (label.length >= 1 && label.length <= 100 && !/\p{Cc}/u.test(label)) return;
  throw new CodedError(
    'INVALID_ARGUMENT',
    'a label has 1 to 100 characters and no control characters; it says what the token is for',
  );
}
