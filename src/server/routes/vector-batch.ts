import { sha256 } from '../../lib/sha256.ts';
import { safetensorsHeader } from '../../lib/safetensors.ts';
import { takeTurn } from '../../lib/take-turn.ts';
import { exportAudit } from '../audit.ts';
import { readText, sendsJson } from '../read-body.ts';
import { refuse } from '../respond.ts';
import type { Call, Route, Services } from '../route.ts';
import { refuseDownload, serveBody } from '../serve-body.ts';

const maxKeys = 1_024;
const maxAnswerBytes = 256 * 2 ** 20;
const maxBodyBytes = 256 * 1024;
/** Keys that are looked up in one go: a millisecond or two. */
const keysAtOnce = 128;
/** Runs whose keys the audit log has of one batch. */
const mostRunsNamed = 100;

/** POST /v1/vectors:batch with `{"keys": […]}`: a safetensors file of these vectors, each under its key, in the order asked. */
export function vectorBatchRoute(services: Services): Route {
  const audit = exportAudit(services);
  return {
    name: '/v1/vectors:batch',
    path: /^\/v1\/vectors:batch$/,
    methods: ['POST'],
    access: 'VIEWER',
    handle: (call) => serveBatch(services, audit, call),
  };
}

async function serveBatch(
  services: Services,
  audit: ReturnType<typeof exportAudit>,
  call: Call,
): Promise<void> {
  const { request, response, store } = call;
  if (!sendsJson(request))
    return refuse(response, 415, 'UNSUPPORTED_MEDIA_TYPE', 'send {"keys": […]} as application/json');
  const text = await readText(call, 'a request', maxBodyBytes);
  if (text === undefined) return;
  const keys = keysIn(text);
  if (typeof keys === 'string') return refuse(response, 400, 'BAD_USER_INPUT', keys);

  if (!services.graph.mayDownload(call, keys.length)) return refuseDownload(call, keys.length);
  const vectors = [];
  for (let from = 0; from < keys.length; from += keysAtOnce) {
    if (keys.length > keysAtOnce) await takeTurn();
    if (response.destroyed) return;
    if (!call.isCurrent()) return void response.destroy();
    for (const [i, vector] of store.vectors.locate(keys.slice(from, from + keysAtOnce)).entries()) {
      if (!vector) return refuse(response, 404, 'NOT_FOUND', `there is no vector "${keys[from + i]}" here`);
      vectors.push(vector);
    }
  }
  const bytes = vectors.reduce((sum, vector) => sum + vector.byteLength, 0);
  if (bytes > maxAnswerBytes) {
    const message = `these vectors have ${bytes} bytes; one answer has at most ${maxAnswerBytes}, ask for fewer`;
    return refuse(response, 413, 'ANSWER_TOO_LARGE', message);
  }
  const header = safetensorsHeader(
    vectors.map(({ key, byteLength }) => ({ name: key, dtype: 'F32', shape: [byteLength / 4] })),
    { format: 'deltascope-vectors', format_version: '1' },
  );
  const digest = sha256(JSON.stringify(vectors.map((vector) => [vector.key, vector.sha256])));
  const etag = `"${digest}"`;
  const runs = [...new Set(vectors.map(({ key }) => key.split('.', 1)[0] ?? ''))];
  return serveBody(services, call, {
    etag,
    immutable: false,
    filename: 'vectors.safetensors',
    onTaken: () =>
      audit(call, {
        action: 'vectors.export',
        subject: digest,
        details: { vectors: vectors.length, runs: runs.slice(0, mostRunsNamed) },
      }),
    byteLength: header.length + bytes,
    parts: [
      { byteLength: header.length, read: () => header },
      ...vectors.map((vector) => ({
        byteLength: vector.byteLength,
        read: () => store.vectors.read(vector),
      })),
    ],
  });
}

/** The keys asked for, or what is wrong with the request. */
function keysIn(text: string): string[] | string {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return 'the body is not JSON; send {"keys": […]}';
  }
  const keys = typeof body === 'object' && body !== null && 'keys' in body ? body.keys : undefined;
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string'))
    return 'keys must be a list of strings; send {"keys": […]}';
  if (keys.length === 0 || keys.length > maxKeys) return `keys must be 1 to ${maxKeys}, not ${keys.length}`;
  const seen = new Set<string>();
  for (const key of keys) {
    if (seen.has(key)) return `"${key}" is asked for twice; a file has each vector once`;
    seen.add(key);
  }
  return keys;
}
