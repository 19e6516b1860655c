import { once } from 'node:events';
import { jobEvents, maxStreamsPerClient } from '../../../schema/index.ts';
import type { JobEventRow } from '../../db/index.ts';
import { refuse } from '../respond.ts';
import { type Call, clientOf, type Route, type Services } from '../route.ts';

const heartbeatMs = 15_000;
/** How long a browser waits before it asks again. */
const retryMs = 1_000;

/** /v1/jobs/{key}/events: what happens to a job as server-sent events whose ids count from 1; resumed by Last-Event-ID. */
export const jobEventsRoute = (services: Services): Route => ({
  name: '/v1/jobs/{key}/events',
  path: /^\/v1\/jobs\/([^/]+)\/events$/,
  methods: ['GET'],
  access: 'VIEWER',
  handle: (call) => serveEvents(services, call),
});

async function serveEvents({ streams }: Services, call: Call): Promise<void> {
  const { store, request, response, parts, search } = call;
  const key = parts[0] ?? '';
  const job = store.jobs.findByKey(key);
  if (!job) return refuse(response, 404, 'NOT_FOUND', `there is no job "${key}" here`);
  const given = request.headers['last-event-id'] ?? search.get('after') ?? '0';
  if (!/^\d{1,15}$/.test(String(given)))
    return refuse(response, 400, 'BAD_REQUEST', 'Last-Event-ID is the number of an event, from 0');
  const after = Number(given);
  // A browser that comes back after the last event is told, by 204, not to ask again.
  if (after > 0 && after >= store.jobs.lastEventNumber(job) && job.finishedAt !== null)
    return void response.writeHead(204).end();

  const leave = streams.enter(clientOf(call));
  if (!leave) {
    const message = `a client listens to at most ${maxStreamsPerClient} jobs at a time`;
    return refuse(response, 429, 'RATE_LIMITED', message);
  }

  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const heartbeat = setInterval(() => response.write(':\n\n'), heartbeatMs);
  try {
    response.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-cache',
      'X-Accel-Buffering': 'no',
    });
    response.write(`retry: ${retryMs}\n\n`);
    for await (const event of jobEvents(store, key, after, {
      signal: gone.signal,
      isCurrent: call.isCurrent,
    })) {
      if (gone.signal.aborted) break;
      if (!response.write(messageOf(event)))
        await once(response, 'drain', { signal: gone.signal }).catch(() => undefined);
    }
    response.end();
  } finally {
    clearInterval(heartbeat);
    leave();
  }
}

function messageOf({ number, state, phase, done, total, message, createdAt }: JobEventRow): string {
  const data = JSON.stringify({ number, state, phase, done, total, message, createdAt });
  return `id: ${number}\nevent: job\ndata: ${data}\n\n`;
}
