import { packageVersion } from '../../lib/package-root.ts';
import { respondJson } from '../respond.ts';
import type { Route } from '../route.ts';

/** /health: the process answers. */
export function healthRoute(): Route {
  const body = { status: 'ok', version: packageVersion() };
  return {
    name: '/health',
    path: /^\/health$/,
    methods: ['GET', 'HEAD'],
    access: 'OPEN',
    handle: ({ response }) => respondJson(response, 200, body),
  };
}
