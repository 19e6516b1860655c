// The server under test as users run it, from dist/, or its opponent: `server.ts ours|raw <store>`; prints its port.
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import BetterSqlite3 from 'better-sqlite3';
import type * as Db from '../../src/db/index.ts';
import type * as Serving from '../../src/server/index.ts';

const [kind, file = ''] = process.argv.slice(2);
const built = async <Module>(path: string) =>
  (await import(new URL(`../../dist/src/${path}`, import.meta.url).href)) as Module;

async function ourServer(path: string) {
  const [{ openStore }, { createServer }] = [
    await built<typeof Db>('db/index.js'),
    await built<typeof Serving>('server/index.js'),
  ];
  return createServer({ store: openStore(path, { readonly: true }), graphiql: false });
}

const server = kind === 'raw' ? rawServer(file) : await ourServer(file);
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});

/** R2: node:http; a POST is one prepared statement and the same JSON as the point query has, a GET is 1 MiB from memory. */
function rawServer(path: string) {
  const sqlite = new BetterSqlite3(path, { readonly: true });
  const mebibyte = Buffer.alloc(2 ** 20);
  const point = sqlite.prepare('select key, method, samples, digest from runs where key = ?');
  return createHttpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.method === 'GET')
        return void response.writeHead(200, { 'Content-Length': mebibyte.length }).end(mebibyte);
      const { variables } = JSON.parse(Buffer.concat(chunks).toString()) as { variables: { key: string } };
      const body = Buffer.from(JSON.stringify({ data: { run: point.get(variables.key) } }));
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length });
      response.end(body);
    });
  });
}
