import type { IncomingMessage, ServerResponse } from 'node:http';
import { byteRange } from '../lib/byte-range.ts';
import { refuse } from './respond.ts';
import type { Call } from './route.ts';

/** A piece of a body, read when its turn comes. */
export interface Part {
  byteLength: number;
  read(): Buffer;
}

export interface Body {
  /** Strong tag, with its quotes: the same tag is the same bytes. */
  etag: string;
  /** Whether the URL names these bytes, so that caches may keep them for good. */
  immutable: boolean;
  filename: string;
  headers?: Record<string, string>;
  byteLength: number;
  parts: Iterable<Part>;
}

/** Parts are handed on together, so many bytes at a time. */
const chunkBytes = 1024 * 1024;

/** Answers with a body, or the range of it that a GET asks for, or 304 to who has it. No more than a chunk and a part are in memory. */
export async function serveBody(
  { request, response, isCurrent }: Pick<Call, 'request' | 'response' | 'isCurrent'>,
  body: Body,
): Promise<void> {
  const { etag, byteLength } = body;
  response.setHeader('ETag', etag);
  response.setHeader(
    'Cache-Control',
    body.immutable ? 'private, max-age=31536000, immutable' : 'private, no-cache',
  );
  if (isKnown(request, etag)) return void response.writeHead(304).end();

  response.setHeader('Accept-Ranges', 'bytes');
  const ifRange = request.headers['if-range'];
  const range =
    request.method === 'GET' && (ifRange === undefined || ifRange === etag)
      ? byteRange(request.headers.range, byteLength)
      : undefined;
  if (range === 'unsatisfiable') {
    response.setHeader('Content-Range', `bytes */${byteLength}`);
    return refuse(response, 416, 'RANGE_NOT_SATISFIABLE', `the body has ${byteLength} bytes`);
  }
  if (range) response.setHeader('Content-Range', `bytes ${range.start}-${range.end}/${byteLength}`);
  const { start, end } = range ?? { start: 0, end: byteLength - 1 };

  const chunks = chunksOf(request.method === 'HEAD' ? [] : body.parts, start, end + 1);
  // Read before anything is said: what cannot be read at all is still an error of its own.
  let chunk = chunks.next().value;
  response.writeHead(range ? 206 : 200, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': end - start + 1,
    'Content-Disposition': `attachment; filename="${body.filename}"`,
    ...body.headers,
  });
  while (chunk !== undefined) {
    response.cork(); // one system call for all pieces, none of which is copied
    const taken = chunk.map((piece) => response.write(piece)).every(Boolean);
    response.uncork();
    const next = chunks.next().value;
    if (next !== undefined && !taken) await drained(response);
    if (response.destroyed) return;
    if (!isCurrent()) return void response.destroy(); // whose it is has been shut out meanwhile
    chunk = next;
  }
  response.end();
}

/** Until the client has taken what was written, or is gone. */
const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
    if (response.destroyed) done();
  });

/** The bytes from `start` up to `end`, as pieces in order, some of them at a time. */
function* chunksOf(parts: Iterable<Part>, start: number, end: number): Generator<Buffer[], undefined> {
  let at = 0;
  let pieces: Buffer[] = [];
  let size = 0;
  for (const part of parts) {
    const [from, to] = [Math.max(start, at), Math.min(end, at + part.byteLength)];
    if (from < to) {
      const data = part.read();
      if (data.length !== part.byteLength)
        throw new Error(`a part has ${data.length} bytes, ${part.byteLength} were announced`);
      pieces.push(data.subarray(from - at, to - at));
      size += to - from;
      if (size >= chunkBytes) {
        yield pieces;
        [pieces, size] = [[], 0];
      }
    }
    at += part.byteLength;
    if (at >= end) break;
  }
  if (size > 0) yield pieces;
  return undefined;
}

/** Whether the client has what this tag is of. If-None-Match compares weakly: W/ before a tag does not matter. */
export const isKnown = ({ headers: { 'if-none-match': header } }: IncomingMessage, etag: string): boolean =>
  header !== undefined &&
  header.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag);
