import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../lib/package-root.ts';
import { sha256 } from '../../lib/sha256.ts';
import { explorerPolicy } from '../headers.ts';
import { refuse } from '../respond.ts';
import type { Route } from '../route.ts';
import { isKnown } from '../serve-body.ts';

const types = { html: 'text/html', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' } as const;

/** What the page is made of; nothing else of the folder is served. */
const files = [
  'index.html',
  'style.css',
  'token.js',
  'icon.svg',
  'address.js',
  'agents.js',
  'documents.js',
  'dom.js',
  'graph.js',
  'heat-map.js',
  'main.js',
  'organisms.js',
  'place.js',
];

/** / and /explorer/{file}: the page that shows the graph, read once. */
export function explorerRoute(): Route {
  const assets = new Map(
    files.map((name) => {
      const body = readFileSync(join(packageRoot(), 'explorer', name));
      const type = types[name.split('.').at(-1) as keyof typeof types];
      return [name, { body, type: `${type}; charset=utf-8`, etag: `"${sha256(body)}"` }];
    }),
  );
  return {
    name: '/explorer',
    path: /^\/(?:explorer\/([a-z-]+\.[a-z]+))?$/,
    methods: ['GET', 'HEAD'],
    access: 'OPEN',
    handle({ parts: [name = 'index.html'], request, response }) {
      const asset = assets.get(name);
      if (!asset) return refuse(response, 404, 'NOT_FOUND', 'the page has no such file');
      response.setHeader('Content-Security-Policy', explorerPolicy);
      response.setHeader('Cache-Control', 'no-cache');
      response.setHeader('ETag', asset.etag);
      if (isKnown(request, asset.etag)) return response.writeHead(304).end();
      response.writeHead(200, { 'Content-Type': asset.type, 'Content-Length': asset.body.length });
      return response.end(request.method === 'HEAD' ? undefined : asset.body);
    },
  };
}
