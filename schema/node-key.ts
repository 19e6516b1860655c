import { decodeGlobalID, encodeGlobalID } from '@pothos/plugin-relay';

/** Type and key in the id of a node, in its one spelling; undefined for text that is no such id. */
export function splitId(id: string): { type: string; key: string } | undefined {
  try {
    const { typename, id: key } = decodeGlobalID(id);
    return encodeGlobalID(typename, key) === id ? { type: typename, key } : undefined;
  } catch {
    return undefined;
  }
}

/** The key in the id of a node of this type. */
export const keyOf = (id: string, type: string): string | undefined => {
  const parts = splitId(id);
  return parts?.type === type ? parts.key : undefined;
};
