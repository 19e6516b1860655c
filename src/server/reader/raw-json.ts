import type { ExecutionResult } from 'graphql';

/** JSON that was written elsewhere, in UTF-8, and need not be read here. */
export class RawJson {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** The result with its data as objects, whoever wrote them. */
export const parsed = (result: ExecutionResult): ExecutionResult =>
  result.data instanceof RawJson
    ? { ...result, data: JSON.parse(Buffer.from(result.data.bytes).toString()) as Record<string, unknown> }
    : result;

/** A result as JSON, in pieces: text, or UTF-8. */
export function jsonOf(result: ExecutionResult): (string | Uint8Array)[] {
  const { data, errors, extensions } = result;
  if (!(data instanceof RawJson)) return [JSON.stringify(result)];
  const before = errors ? `{"errors":${JSON.stringify(errors)},"data":` : '{"data":';
  const after = extensions ? `,"extensions":${JSON.stringify(extensions)}}` : '}';
  return [before, data.bytes, after];
}
