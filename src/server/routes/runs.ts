import { ByteLru } from '../../lib/byte-lru.ts';
import { refuse } from '../respond.ts';
import { auditExport } from '../audit.ts';
import type { Route, Services } from '../route.ts';
import { runTensors } from '../run-tensors.ts';
import { serveBody, type Body } from '../serve-body.ts';

/** Files that are put together once and kept; longer ones are read from the store at each download. */
const longestKept = 32 * 2 ** 20;
const kept = 64 * 2 ** 20;

/** GET /v1/runs/{key}.safetensors: all vectors of a run. With `?digest=` only that result is served. */
export function runRoute(services: Services): Route {
  const files = new ByteLru<Pick<Body, 'byteLength' | 'parts'>>(kept);
  return {
    name: '/v1/runs/{key}.safetensors',
    path: /^\/v1\/runs\/(.+)\.safetensors$/,
    methods: ['GET', 'HEAD'],
    access: 'SIGNED',
    handle(call) {
      const { response, store, search } = call;
      const [key = ''] = call.parts;
      const run = store.runs.findByKey(key);
      if (!run) return refuse(response, 404, 'NOT_FOUND', `there is no run "${key}" here`);
      const pinned = search.get('digest');
      if (pinned !== null && pinned !== run.digest) {
        return refuse(response, 404, 'NOT_FOUND', `run "${key}" has another digest here: ${run.digest}`);
      }
      const etag = `"${run.digest}"`;
      auditExport(services, call, etag, { action: 'run.export', subject: run.key });
      const identity = `${run.key} ${run.digest}`;
      let file: Pick<Body, 'byteLength' | 'parts'> | undefined = files.get(identity);
      if (!file) {
        const { byteLength, parts } = runTensors(store, run);
        if (byteLength > longestKept || call.request.method === 'HEAD') file = { byteLength, parts };
        else {
          const bytes = Buffer.concat(parts.map((part) => part.read()));
          file = { byteLength, parts: [{ byteLength, read: () => bytes }] };
          files.set(identity, file, byteLength);
        }
      }
      return serveBody(call, {
        etag,
        immutable: pinned !== null,
        filename: `${run.key}.safetensors`,
        ...file,
      });
    },
  };
}
