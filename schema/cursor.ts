import type { SortKey } from '../src/db/index.ts';
import { invalidCursor } from './errors.ts';

const version = 1;

/** A place in one list, as opaque text: the sort key of the row there and the tag of the list it belongs to. */
export const encodeCursor = (listTag: string, key: SortKey): string =>
  Buffer.from(JSON.stringify([version, listTag, ...key])).toString('base64url');

/**
 * The sort key in a cursor of this list.
 * @throws INVALID_CURSOR for anything that encodeCursor(listTag, …) does not write: another list, version or spelling
 */
export function decodeCursor(
  cursor: string,
  listTag: string,
  types: readonly ('string' | 'number')[],
): SortKey {
  const [, , ...key] = parseArray(Buffer.from(cursor, 'base64url').toString());
  const typed = key.length === types.length && key.every((value, i) => typeof value === types[i]);
  if (!typed || encodeCursor(listTag, key as SortKey) !== cursor) throw invalidCursor();
  return key as SortKey;
}

function parseArray(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
