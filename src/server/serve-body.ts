import type { IncomingMessage, ServerResponse } from 'node:http';
import { downloadBytesPerPoint } from '../../schema/limits.ts';
import { byteRange } from '../lib/byte-range.ts';
import { takeTurn, turnMs } from '../lib/take-turn.ts';
import { refuse } from './respond.ts';
import type { Call, Services } from './route.ts';

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
  /** Called before the first byte leaves; not for a client that has the body already, asks for its head alone, or is refused. */
  onTaken?: () => void;
}

/** Parts are handed on together, so many bytes at a time, or as many as are read in a turn of the event loop. */
export const chunkBytes = 1024 * 1024;
/** What is no longer is answered at once, without waiting for a turn. */
const smallBody = 64 * 1024;

/**
 * Answers with a body, or the range of it that a GET asks for, or 304 to who has it; 429 to a stranger without the points. No more
 * than a chunk and a part are in memory, and the event loop turns between two chunks.
 */
export async function serveBody({ graph }: Pick<Services, 'graph'>, call: Call, body: Body): Promise<void> {
  const { request, response, isCurrent } = call;
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
  const { start, end } = range ?? { start: 0, end: byteLength - 1 };
  const headOnly = request.method === 'HEAD';
  let left = headOnly ? 0 : end - start + 1;
  const points = Math.max(1, Math.ceil(left / downloadBytesPerPoint));
  if (!graph.mayDownload(call, points)) return refuseDownload(call, points);

  if (range) response.setHeader('Content-Range', `bytes ${range.start}-${range.end}/${byteLength}`);
  const chunks = chunksOf(headOnly ? [] : body.parts, start, end + 1);
  if (left > smallBody) await takeTurn();
  if (response.destroyed) return;
  // Read before anything is said: what cannot be read at all is still an error of its own.
  let chunk = chunks.next().value;
  if (!headOnly) body.onTaken?.();
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
    left -= chunk.reduce((sum, piece) => sum + piece.length, 0);
    if (left === 0) break;
    if (!taken) await drained(response);
    await takeTurn();
    if (response.destroyed) return;
    if (!isCurrent()) return void response.destroy(); // whose it is has been shut out meanwhile
    chunk = chunks.next().value;
  }
  response.end();
}

/** Says that a stranger has no points for what it asked: in its turn, or in pieces where an hour's are too few. */
export function refuseDownload({ response }: Pick<Call, 'response'>, points: number): void {
  for (const name of ['ETag', 'Cache-Control', 'Accept-Ranges']) response.removeHeader(name);
  const message = `this download takes more points than you have left (${points}); come again after Retry-After, ask for a part of it with Range, or bring a token`;
  refuse(response, 429, 'RATE_LIMITED', message);
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

/** The bytes from `start` up to `end`, as pieces in order, as many of them at a time as make a chunk or take a turn's time. */
function* chunksOf(parts: Iterable<Part>, start: number, end: number): Generator<Buffer[], undefined> {
  let at = 0;
  let pieces: Buffer[] = [];
  let size = 0;
  let begun = performance.now();
  for (const part of parts) {
    const [from, to] = [Math.max(start, at), Math.min(end, at + part.byteLength)];
    if (from < to) {
      const data = part.read();
      if (data.length !== part.byteLength)
        throw new Error(`a part has ${data.length} bytes, ${part.byteLength} were announced`);
      pieces.push(data.subarray(from - at, to - at));
      size += to - from;
      if (size >= chunkBytes || performance.now() - begun >= turnMs) {
        yield pieces;
        [pieces, size, begun] = [[], 0, performance.now()];
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
