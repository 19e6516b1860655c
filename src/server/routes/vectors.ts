import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Store, VectorRow } from '../../db/index.ts';
import { byteRange } from '../../lib/byte-range.ts';
import { npyHeader } from '../../lib/npy.ts';
import { refuse } from '../respond.ts';
import type { Route, Services } from '../route.ts';

const bytesPerNumber = 4;

/** /v1/vectors/{key}: raw little-endian float32, or a .npy file. */
export const vectorRoute = ({ store }: Services): Route => ({
  name: '/v1/vectors/{key}',
  path: /^\/v1\/vectors\/(.+?)(\.npy)?$/,
  methods: ['GET', 'HEAD'],
  handle: ({ parts: [key = '', suffix], search, request, response }) =>
    serveVector(store, { key, npy: suffix !== undefined }, search.get('sha256'), request, response),
});

/** GET or HEAD of one vector. With `?sha256=` only that content is served, and caches may keep it for good. */
function serveVector(
  store: Store,
  { key, npy }: { key: string; npy: boolean },
  pinned: string | null,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const vector = store.vectors.findByKey(key);
  if (!vector) return refuse(response, 404, 'NOT_FOUND', `there is no vector "${key}" here`);
  if (pinned !== null && pinned !== vector.sha256) {
    return refuse(response, 404, 'NOT_FOUND', `vector "${key}" has another SHA-256 here: ${vector.sha256}`);
  }

  const shape = [vector.byteLength / bytesPerNumber];
  const header = npy ? npyHeader(shape) : Buffer.alloc(0);
  const size = header.length + vector.byteLength;
  const etag = npy ? `"${vector.sha256}-npy"` : `"${vector.sha256}"`;
  response.setHeader('ETag', etag);
  // A key says what was asked, not what came out: a store made anew by a better engine may answer it with other numbers.
  response.setHeader(
    'Cache-Control',
    pinned === null ? 'private, no-cache' : 'private, max-age=31536000, immutable',
  );
  if (matches(request.headers['if-none-match'], etag)) return void response.writeHead(304).end();

  response.setHeader('Accept-Ranges', 'bytes');
  const ifRange = request.headers['if-range'];
  const range =
    request.method === 'GET' && (ifRange === undefined || ifRange === etag)
      ? byteRange(request.headers.range, size)
      : undefined;
  if (range === 'unsatisfiable') {
    response.setHeader('Content-Range', `bytes */${size}`);
    return refuse(response, 416, 'RANGE_NOT_SATISFIABLE', `the body has ${size} bytes`);
  }
  if (range) response.setHeader('Content-Range', `bytes ${range.start}-${range.end}/${size}`);
  const { start, end } = range ?? { start: 0, end: size - 1 };

  const body = request.method === 'HEAD' ? undefined : bytes(store, vector, header).subarray(start, end + 1);
  response.writeHead(range ? 206 : 200, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': end - start + 1,
    'Content-Disposition': `attachment; filename="${vector.key.replace('/', '.')}${npy ? '.npy' : '.f32'}"`,
    'X-Dtype': 'float32',
    'X-Shape': shape.join(','),
  });
  response.end(body);
}

const bytes = (store: Store, vector: VectorRow, header: Buffer): Buffer => {
  const data = store.vectors.read(vector);
  return header.length === 0 ? data : Buffer.concat([header, data]);
};

/** If-None-Match compares weakly: W/ before a tag does not matter. */
const matches = (header: string | undefined, etag: string): boolean =>
  header !== undefined &&
  header.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag);
