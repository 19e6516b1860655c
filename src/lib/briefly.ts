import type { JsonObject, JsonValue } from './canonical-json.ts';

const mostCharacters = 200;
const mostMembers = 20;

/** The same with long texts cut and long lists ended, each with an ellipsis: for logs, which nobody may fill. */
export const briefly = (object: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, brief(value)]));

function brief(value: JsonValue): JsonValue {
  if (typeof value === 'string')
    return value.length > mostCharacters ? `${value.slice(0, mostCharacters).toWellFormed()}…` : value;
  if (Array.isArray(value)) {
    const kept = value.slice(0, mostMembers).map(brief);
    return value.length > mostMembers ? [...kept, '…'] : kept;
  }
  return typeof value === 'object' && value !== null ? briefly(value) : value;
}
