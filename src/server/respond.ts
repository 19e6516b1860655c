import type { ServerResponse } from 'node:http';
import type { ErrorCode } from '../../schema/error-codes.ts';

/** Answers with a JSON body; refusals are `{ code, message }`. */
export function respondJson(response: ServerResponse, status: number, body: object): void {
  const bytes = Buffer.from(`${JSON.stringify(body)}\n`);
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': bytes.length,
  });
  response.end(bytes);
}

export const refuse = (response: ServerResponse, status: number, code: ErrorCode, message: string): void =>
  respondJson(response, status, { code, message });
