// node test/kill/server.ts <store> <port>: a server with its engine, for somebody who kills both. Tells the engine's process id.
import { jobLimits, openStore } from '../../src/db/index.ts';
import { supervise } from '../../src/jobs/index.ts';
import { createServer, listen } from '../../src/server/index.ts';

const [storeFile = '', port = '0'] = process.argv.slice(2);
const store = openStore(storeFile);
const supervisor = supervise({
  queue: store.jobs,
  storeFile,
  // Deaths here are no fault of the jobs, so none is given up for them; leases are short, so that little time is lost.
  limits: { ...jobLimits, leaseMs: 2_000, backoffMs: 5, crashes: 1_000_000, stalls: 1_000_000 },
  restartMs: { least: 5, most: 50 },
  pollMs: 20,
  threads: 1,
});
const { port: bound } = await listen(createServer({ store, graphiql: false, engine: supervisor.status }), {
  port: Number(port),
});
process.send?.({ port: bound });
setInterval(() => process.send?.({ engine: supervisor.status().pid }), 20);
process.on('disconnect', () => process.exit());
process.on('SIGTERM', () => {
  void supervisor.stop().then(() => process.exit());
});
