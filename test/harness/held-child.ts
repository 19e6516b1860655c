// For child-manners.test.ts: a parent that starts a child whose thread is held for good.
import { fork } from 'node:child_process';
import { endWithParent } from '../../src/lib/child-manners.ts';

if (process.argv[2] === 'child') {
  endWithParent();
  process.send?.('ready');
  setTimeout(() => {
    for (;;);
  }, 100);
} else {
  const child = fork(process.argv[1] ?? '', ['child']);
  child.once('message', () => process.stdout.write(`${child.pid}\n`));
}
