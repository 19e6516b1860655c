import { expect, it } from 'vitest';
import { neededJoins } from '../../src/db/joins.ts';

const joins =
  'join b on b.id = a.b_id left join c on c.id = b.c_id and (c.seen = 1 or c.owner = @x) join d on d.id = a.d_id';

it.each([
  ['select a.id from a', ''],
  ['where b.x = 1', 'join b on b.id = a.b_id'],
  ['where "d"."x" = 1', 'join d on d.id = a.d_id'],
  ['order by c.x', 'join b on b.id = a.b_id left join c on c.id = b.c_id and (c.seen = 1 or c.owner = @x)'],
  ['where c.x = d.x', joins],
  ['where abc.x = 1', ''],
])('%s needs: %s', (sql, needed) => {
  expect(neededJoins(joins, sql)).toBe(needed);
});
