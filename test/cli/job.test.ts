import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openStore } from '../../src/db/index.ts';
import { deltascope } from '../harness/command.ts';
import { seedOrganism } from '../harness/synthetic-run.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

/** A data folder with a job that waits and one that could not be done. */
function withJobs() {
  const data = temporaryFolder();
  const store = openStore(join(data, 'deltascope.sqlite'));
  const { organism } = seedOrganism(store);
  const add = (kind: string, digit: string) =>
    store.jobs.add({ kind, spec: { layer: 1 }, identity: digit.repeat(64), organismId: organism.id }).key;
  const failed = add('steering', 'a');
  const claim = store.jobs.claim('an engine')!;
  store.jobs.progress(claim, { phase: 'forward', done: 1, total: 3 });
  store.jobs.fail(claim, { code: 'MODEL_CHANGED', message: 'the files are others now', retry: false });
  const waiting = add('run', 'b');
  store.close();
  return { data, organism: organism.name, failed, waiting };
}

test('job list names jobs, newest first, and those of a state', async () => {
  const { data, organism, failed, waiting } = withJobs();
  const all = await deltascope('job', 'list', '--json', '--data', data);
  expect(JSON.parse(all.stdout)).toMatchObject([
    { key: waiting, kind: 'run', organism, state: 'QUEUED', progress: null },
    { key: failed, kind: 'steering', organism, state: 'ERROR', progress: 'forward 33 %' },
  ]);
  const some = await deltascope('job', 'list', '--state', 'error', '--data', data);
  expect(some.stdout).toContain(failed);
  expect(some.stdout).not.toContain(waiting);
});

test('job show tells what was asked and what came of it, and follows it to its end', async () => {
  const { data, failed } = withJobs();
  const shown = await deltascope('job', 'show', failed, '--json', '--data', data);
  expect(JSON.parse(shown.stdout)).toMatchObject({
    spec: { layer: 1 },
    error: { code: 'MODEL_CHANGED', message: 'the files are others now' },
    result: null,
  });
  const followed = await deltascope('job', 'show', failed, '--follow', '--data', data);
  expect(followed).toMatchObject({
    code: 1,
    stderr:
      'QUEUED\nRUNNING\nRUNNING · forward 33 %\nERROR · forward · the files are others now 33 %\ndeltascope: job aaaaaaaaaaaaaaaaaaaa was not completed: ERROR\n',
  });
  const unknown = await deltascope('job', 'show', 'nothing', '--data', data);
  expect(unknown).toMatchObject({ code: 1, stdout: '' });
  expect(unknown.stderr).toContain('nothing');
});

test('job cancel ends a job that waits', async () => {
  const { data, waiting } = withJobs();
  const { stdout } = await deltascope('job', 'cancel', waiting, '--data', data);
  expect(stdout).toBe(`${waiting}: it is cancelled\n`);
  const listed = await deltascope('job', 'list', '--state', 'queued', '--data', data);
  expect(listed.stdout).toBe('no jobs\n');
});
