// npm run test:kill [-- <kills> <seed>]: kill -9 of server and engine at random moments; exits with 1 when anything is lost.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { campaign } from './campaign.ts';

const [kills = '300', seed = '1'] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'deltascope-kill-'));
const begun = performance.now();
const { wrong, ...outcome } = await campaign({
  folder,
  kills: Number(kills),
  seed: Number(seed),
  log: (line) => void process.stdout.write(`${line}\n`),
});
process.stdout.write(
  `${JSON.stringify({ ...outcome, seconds: Math.round((performance.now() - begun) / 1000) })}\n`,
);
for (const line of wrong) process.stdout.write(`WRONG: ${line}\n`);
process.stdout.write(
  wrong.length === 0 ? 'nothing acknowledged was lost\n' : `${wrong.length} wrong; store: ${folder}\n`,
);
if (wrong.length === 0) rmSync(folder, { recursive: true });
process.exitCode = wrong.length === 0 ? 0 : 1;
