import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { respondJson } from '../respond.ts';
import type { Route, Services } from '../route.ts';

/** Less free space than this is too little to start new work with. */
const leastFreeBytes = 256 * 2 ** 20;

/**
 * /ready: whether requests should be sent here. 503 while the store cannot be read or the server stops; with little disk or an
 * engine that fails, reads go on: 200, `degraded`.
 */
export const readyRoute = ({ store, engine, stopping }: Services): Route => ({
  name: '/ready',
  path: /^\/ready$/,
  methods: ['GET', 'HEAD'],
  access: 'OPEN',
  async handle({ response }) {
    const checks = {
      server: stopping() ? 'stopping' : 'ok',
      store: isReadable(store) ? 'ok' : 'unreadable',
      disk: await diskAt(dirname(store.file)),
      engine: engine ? (engine().degraded ? 'degraded' : 'ok') : 'none',
    };
    const up = checks.server === 'ok' && checks.store === 'ok';
    const well = checks.disk === 'ok' && checks.engine !== 'degraded';
    respondJson(response, up ? 200 : 503, {
      status: up ? (well ? 'ready' : 'degraded') : 'not ready',
      checks,
    });
  },
});

function isReadable(store: Services['store']): boolean {
  try {
    store.check();
    return true;
  } catch {
    return false;
  }
}

async function diskAt(folder: string): Promise<'ok' | 'low' | 'unknown'> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize < leastFreeBytes ? 'low' : 'ok';
  } catch {
    return 'unknown';
  }
}
