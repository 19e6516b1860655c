import { npyHeader } from '../../lib/npy.ts';
import { refuse } from '../respond.ts';
import type { Call, Route, Services } from '../route.ts';
import { serveBody } from '../serve-body.ts';

const bytesPerNumber = 4;

/** GET /v1/vectors/{key}: raw little-endian float32, or a .npy file. With `?sha256=` only that content is served. */
export const vectorRoute = (services: Services): Route => ({
  name: '/v1/vectors/{key}',
  path: /^\/v1\/vectors\/(.+?)(\.npy)?$/,
  methods: ['GET', 'HEAD'],
  access: 'SIGNED',
  handle: (call) => serveVector(services, call),
});

function serveVector(services: Services, call: Call): unknown {
  const { response, store, search } = call;
  const [key = '', npy] = call.parts;
  const [vector] = store.vectors.locate([key]);
  if (!vector) return refuse(response, 404, 'NOT_FOUND', `there is no vector "${key}" here`);
  const pinned = search.get('sha256');
  if (pinned !== null && pinned !== vector.sha256) {
    return refuse(response, 404, 'NOT_FOUND', `vector "${key}" has another SHA-256 here: ${vector.sha256}`);
  }
  const shape = [vector.byteLength / bytesPerNumber];
  const header = npy === undefined ? undefined : npyHeader(shape);
  const numbers = { byteLength: vector.byteLength, read: () => store.vectors.read(vector) };
  return serveBody(services, call, {
    etag: `"${vector.sha256}${header ? '-npy' : ''}"`,
    // A key says what was asked, not what came out: a store made anew by a better engine may answer it with other numbers.
    immutable: pinned !== null,
    filename: `${vector.key.replace('/', '.')}${npy ?? '.f32'}`,
    headers: { 'X-Dtype': 'float32', 'X-Shape': shape.join(',') },
    byteLength: (header?.length ?? 0) + vector.byteLength,
    parts: header ? [{ byteLength: header.length, read: () => header }, numbers] : [numbers],
  });
}
