/**
 * Of joins along keys that every row has, in the order in which they are written, those that some SQL needs: a table that is not named
 * in it, nor in a join that is kept, neither adds nor takes a row.
 */
export function neededJoins(joins: string, sql: string): string {
  let seen = sql;
  return joins
    .split(/(?=\b(?:left join|(?<!left )join) )/)
    .map((join) => join.trim())
    .reverse()
    .filter((join) => {
      const [, table] = /^(?:left )?join (\w+)/.exec(join) ?? [];
      const needed = table === undefined || new RegExp(`\\b${table}"?\\.`).test(seen);
      if (needed) seen += ` ${join}`;
      return needed;
    })
    .reverse()
    .join(' ');
}
