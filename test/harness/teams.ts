import type { Scope, Store, TokenRow } from '../../src/db/index.ts';

/** A token of a team, which is made when it is missing. */
export function seedToken(
  store: Store,
  team = 'red',
  scopes: readonly Scope[] = ['read', 'write', 'jobs:run'],
  days?: number,
): { row: TokenRow; secret: string; headers: { Authorization: string } } {
  const { teams, administration } = store;
  const row = teams.find(team) ?? administration.addTeam(team);
  const made = administration.createToken({ label: `of ${team}`, scopes, team: row, days });
  return { ...made, headers: { Authorization: `Bearer ${made.secret}` } };
}
