// A server that says what it used when its parent asks.
import type { AddressInfo } from 'node:net';
import { openStore } from '../../src/db/index.ts';
import { createServer } from '../../src/server/index.ts';

export interface Usage {
  /** Milliseconds of CPU, of all threads. */
  cpuMs: number;
  /** Bytes. */
  rss: number;
  heap: number;
}

const server = createServer({ store: openStore(process.argv[2] ?? ''), graphiql: false });
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));

process.on('message', ({ collect }: { collect: boolean }) => {
  if (collect) (globalThis as { gc?: () => void }).gc?.();
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  process.send?.({ cpuMs: (user + system) / 1_000, rss, heap: heapUsed } satisfies Usage);
});
process.once('disconnect', () => process.exit());
