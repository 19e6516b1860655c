import type { IncomingMessage, ServerResponse } from 'node:http';
import { refuse } from './respond.ts';

export const sendsJson = ({ headers }: IncomingMessage): boolean =>
  /^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '');

/** The body as text; undefined for one of more than `most` bytes, which has been refused. `what` it is begins the refusal. */
export async function readText(
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  what: string,
  most: number,
): Promise<string | undefined> {
  const body = await readBody(request, most);
  if (body !== undefined) return body.toString();
  response.setHeader('Connection', 'close'); // the rest of the body is not read
  refuse(response, 413, 'PAYLOAD_TOO_LARGE', `${what} has at most ${most} bytes`);
  return undefined;
}

/** The body of a request, or undefined for one of more than `most` bytes, whose rest is not read. */
function readBody(request: IncomingMessage, most: number): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > most) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > most) {
        request.pause();
        resolve(undefined);
      } else chunks.push(chunk);
    });
    request.once('end', () => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
    request.once('error', reject);
  });
}
