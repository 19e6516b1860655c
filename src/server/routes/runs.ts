import { exportAudit } from '../audit.ts';
import { KeptFiles } from '../kept-files.ts';
import { refuse } from '../respond.ts';
import type { Route, Services } from '../route.ts';
import { runTensors } from '../run-tensors.ts';
import { isKnown, refuseDownload, serveBody } from '../serve-body.ts';

/** Files that are read once and kept; longer ones are read from the store at each download. */
const longestKept = 32 * 2 ** 20;
const kept = 64 * 2 ** 20;

/** GET /v1/runs/{key}.safetensors: all vectors of a run. With `?digest=` only that result is served. */
export function runRoute(services: Services): Route {
  const { graph } = services;
  const files = new KeptFiles(longestKept, kept);
  const audit = exportAudit(services);
  return {
    name: '/v1/runs/{key}.safetensors',
    path: /^\/v1\/runs\/(.+)\.safetensors$/,
    methods: ['GET', 'HEAD'],
    access: 'SIGNED',
    async handle(call) {
      const { request, response, store, search } = call;
      const [key = ''] = call.parts;
      const run = store.runs.findByKey(key);
      if (!run) return refuse(response, 404, 'NOT_FOUND', `there is no run "${key}" here`);
      const pinned = search.get('digest');
      if (pinned !== null && pinned !== run.digest) {
        return refuse(response, 404, 'NOT_FOUND', `run "${key}" has another digest here: ${run.digest}`);
      }
      const etag = `"${run.digest}"`;
      const identity = `${run.key} ${run.digest}`;
      let file = files.get(identity);
      if (!file && isKnown(request, etag)) file = { byteLength: 0, parts: [] }; // nothing is read for who has it
      if (!file) {
        const places = store.runVectors.count(run);
        if (!graph.mayDownload(call, places)) return refuseDownload(call, places);
        file = await runTensors(store, run, () => !response.destroyed && call.isCurrent());
        if (!file) return void response.destroy();
        if (request.method === 'GET' && request.headers.range === undefined)
          file = files.gathering(identity, file);
      }
      return serveBody(services, call, {
        etag,
        immutable: pinned !== null,
        filename: `${run.key}.safetensors`,
        onTaken: () => audit(call, { action: 'run.export', subject: run.key }),
        ...file,
      });
    },
  };
}
