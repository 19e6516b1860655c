import { type Bind, binder } from './binder.ts';
import { sizesOnce, type StoreSizes } from './store-sizes.ts';
import type { Viewer } from './visible.ts';

/** A condition as SQL over the list's tables, and what is bound to its named parameters. */
export interface Condition {
  sql: string;
  parameters: Record<string, string | number>;
}

/** What a client asks of one field: operator to value; null and absent are the same. */
export type Where = { readonly [field: string]: unknown };

/** What conditions are made with. */
export interface Asking {
  bind: Bind;
  viewer: Viewer;
  sizes: StoreSizes;
}

/** What may be asked of a list: a column, the fields of a row that it belongs to, or a question with its own SQL, which sees no more than the viewer does. */
export type FilterField =
  | string
  | { fields: FilterFields }
  | {
      condition(asked: Where, asking: Asking): string;
      /** Rows of other tables that it goes through, about. */
      looksAt(asked: Where, sizes: StoreSizes): number;
    };
export type FilterFields = Readonly<Record<string, FilterField>>;

const comparisons = { eq: '=', ne: '<>', lt: '<', lte: '<=', gt: '>', gte: '>=' } as const;

/** SQL for one operator on a column or expression. Case counts, and there are no wildcards. */
function operation(column: string, operator: string, value: unknown, bind: Bind): string {
  const plain = (scalar: unknown) => (typeof scalar === 'boolean' ? Number(scalar) : (scalar as string));
  if (operator in comparisons) {
    return `${column} ${comparisons[operator as keyof typeof comparisons]} ${bind(plain(value))}`;
  }
  switch (operator) {
    case 'in':
      return `${column} in (select value from json_each(${bind(JSON.stringify((value as unknown[]).map(plain)))}))`;
    case 'contains':
      return `instr(${column}, ${bind(value as string)}) > 0`;
    case 'startsWith': {
      // By bytes: length() and substr() of a text end at its first NUL.
      const text = value as string;
      return `substr(cast(${column} as blob), 1, ${bind(Buffer.byteLength(text))}) = cast(${bind(text)} as blob)`;
    }
    case 'isNull':
      return `${column} is ${value === true ? '' : 'not '}null`;
    default:
      throw new Error(`no operator ${operator}`);
  }
}

const given = (where: Where): [string, unknown][] =>
  Object.entries(where).filter(([, value]) => value !== null && value !== undefined);

/** SQL that holds for a column when every operator given does. */
export const operations = (column: string, asked: Where, bind: Bind): string[] =>
  given(asked).map(([operator, value]) => operation(column, operator, value, bind));

const all = (parts: readonly string[]): string => (parts.length === 0 ? 'true' : together(parts, 'and'));

/** What is asked twice is asked once. */
const together = (parts: readonly string[], by: 'and' | 'or'): string => [...new Set(parts)].join(` ${by} `);

/**
 * The condition of a filter. A comparison with a value that is null does not hold, and `not` is true of whatever does not match,
 * so a row always matches either a filter or its `not`. Every value is bound; names and operators come from the table of fields.
 */
export function condition(
  where: Where | null | undefined,
  fields: FilterFields,
  { viewer, sizes }: Omit<Asking, 'bind'>,
): Condition {
  const { bind, parameters } = binder();
  return {
    sql: where ? matches(where, fields, { bind, viewer, sizes: sizesOnce(sizes) }) : 'true',
    parameters,
  };
}

export function matches(where: Where, fields: FilterFields, asking: Asking): string {
  const parts = given(where).map(([name, asked]) => {
    if (name === 'and') return all((asked as Where[]).map((part) => `(${matches(part, fields, asking)})`));
    if (name === 'or') {
      const ways = (asked as Where[]).map((part) => `(${matches(part, fields, asking)})`);
      return `(${together(ways, 'or') || 'false'})`;
    }
    if (name === 'not') return `((${matches(asked as Where, fields, asking)}) is not true)`;
    const field = fields[name];
    if (field === undefined) throw new Error(`no filter ${name}`);
    if (typeof field === 'string') return all(operations(field, asked as Where, asking.bind));
    return 'fields' in field
      ? `(${matches(asked as Where, field.fields, asking)})`
      : field.condition(asked as Where, asking);
  });
  return all(parts);
}

/** Rows of other tables that a filter goes through, about; equal questions once. */
export function rowsLookedAt(
  where: Where | null | undefined,
  fields: FilterFields,
  sizes: StoreSizes,
): number {
  const asked = new Map<string, number>();
  const once = sizesOnce(sizes);
  const visit = (part: Where, under: FilterFields, path: string): void => {
    for (const [name, value] of given(part)) {
      if (name === 'and' || name === 'or')
        (value as Where[]).forEach((member) => void visit(member, under, path));
      else if (name === 'not') visit(value as Where, under, path);
      else {
        const field = under[name];
        if (typeof field !== 'object') continue;
        const place = `${path}.${name}`;
        if ('fields' in field) visit(value as Where, field.fields, place);
        else asked.set(`${place} ${JSON.stringify(value)}`, field.looksAt(value as Where, once));
      }
    }
  };
  if (where) visit(where, fields, '');
  return [...asked.values()].reduce((sum, rows) => sum + rows, 0);
}
