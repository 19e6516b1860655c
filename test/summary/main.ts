// node test/summary/main.ts < suites: reads lines of "kind status report", prints the closing line of a test run and fails
// unless everything passed.
import { existsSync, readFileSync } from 'node:fs';
import { add, none, renderTally, tallySuite } from './tally.ts';

const total = readFileSync(0, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => {
    const [kind = '', status, path = ''] = line.split(' ');
    return tallySuite(kind, Number(status), existsSync(path) ? readFileSync(path, 'utf8') : undefined);
  })
  .reduce(add, none);

process.stdout.write(`${renderTally(total)}\n`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
