import type { ObjectRef } from '@pothos/core';
import { canonicalJson, type JsonValue } from '../src/lib/canonical-json.ts';
import { type Listing, sightOf, type SortKey } from '../src/db/index.ts';
import { withArticle } from '../src/lib/with-article.ts';
import { builder, type GraphContext } from './builder.ts';
import { type CursorScope, decodeCursor, encodeCursor } from './cursor.ts';
import { badUserInput } from './errors.ts';
import { checkAsked, filterCost } from './filter.ts';
import { defaultPageSize, maxPageSize } from './limits.ts';
import { search, spend } from './spend.ts';

interface PageArguments {
  first?: number | null | undefined;
  last?: number | null | undefined;
  after?: string | null | undefined;
  before?: string | null | undefined;
}

/** The `…Connection` and `…Edge` types of a node type; every list of that type shares them. */
export const connectionType = <Row>(
  name: string,
  type: ObjectRef<(typeof builder)['$inferSchemaTypes'], Row>,
) =>
  builder.connectionObject(
    { type, name: `${name}Connection`, description: `A page of a list of ${name} nodes.` },
    { name: `${name}Edge`, description: `The place of ${withArticle(name)} in a list.` },
  );

/** One page of a listing; arguments other than the four of paging are its filters. */
export function connection<Parent extends { key: string } | null, Filters, Row extends object>(
  context: GraphContext,
  listing: Listing<Parent, Filters, Row>,
  parent: Parent,
  { first, last, after, before, ...filters }: PageArguments & Filters,
) {
  checkAsked(filters);
  // What ties cursors to this list and who reads it. Made only when a cursor is given or asked for.
  let made: CursorScope | undefined;
  const scope = () =>
    (made ??= {
      key: context.store.cursorKey,
      viewer: sightOf(context.store.viewer),
      list: textOf([listing.name, parent?.key ?? null, filters]),
    });
  const values = listing.sortValues(filters as Filters);
  const decode = (cursor: string | null | undefined): SortKey | undefined =>
    cursor === null || cursor === undefined ? undefined : decodeCursor(scope(), cursor, values);
  const cursorOf = (index: number) => encodeCursor(scope(), page.keys[index] as SortKey, values);

  const size = { first: pageSize('first', first), last: pageSize('last', last) };
  if (size.first === undefined && size.last === undefined) size.first = defaultPageSize;
  spend(context, filterCost((filters as { where?: unknown }).where));
  const goesThrough = () => listing.looksAt(parent, filters as Filters);
  search(context, goesThrough);
  const page = listing.page(parent, filters as Filters, {
    ...size,
    after: decode(after),
    before: decode(before),
  });
  spend(context, page.rows.length);
  return {
    edges: page.rows.map((node, index) => ({
      node,
      get cursor() {
        return cursorOf(index);
      },
    })),
    pageInfo: {
      hasPreviousPage: page.hasPreviousPage,
      hasNextPage: page.hasNextPage,
      get startCursor() {
        return page.rows.length > 0 ? cursorOf(0) : null;
      },
      get endCursor() {
        return page.rows.length > 0 ? cursorOf(page.rows.length - 1) : null;
      },
    },
    count() {
      search(context, goesThrough);
      return listing.count(parent, filters as Filters);
    },
  };
}

export function pageSize(name: string, value: number | null | undefined): number | undefined {
  if (value === null || value === undefined) return undefined;
  if (value < 0 || value > maxPageSize) {
    throw badUserInput(`${name} must be 0 to ${maxPageSize}, not ${value}; ask for more by pages.`);
  }
  return value;
}

/** An absent filter and a null one are the same list. */
const textOf = (list: unknown): string =>
  canonicalJson(JSON.parse(JSON.stringify(list, (_, value) => value ?? undefined)) as JsonValue);
