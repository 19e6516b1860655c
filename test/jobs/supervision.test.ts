import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { FenceLostError, type JobRow, type Store } from '../../src/db/index.ts';
import { guardedStore } from '../../src/jobs/guarded-store.ts';
import { startJob, type Supervisor } from '../../src/jobs/index.ts';
import {
  ended,
  noRoots,
  quickLimits,
  smallRun,
  storeWithCake,
  superviseInTest,
  until,
} from '../harness/jobs.ts';
import { seedOrganism, syntheticRun } from '../harness/synthetic-run.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

/** Takes a second or two. */
const longRun = { ...smallRun, layers: 'all', positions: 12, maxSamples: 2500 };

const startLong = (store: Store, more: object = {}): JobRow =>
  startJob(store, noRoots, 'run', { ...longRun, ...more });

/** The engine's process, once it computes and is another than the one before. */
async function computing(
  store: Store,
  supervisor: Supervisor,
  { key }: JobRow,
  before: number | null = null,
): Promise<number> {
  await until(() => {
    const { state, phase } = store.jobs.get(key);
    const { pid } = supervisor.status();
    return state === 'RUNNING' && phase === 'forward' && pid !== null && pid !== before;
  }, 'the job is under way');
  return supervisor.status().pid as number;
}

const endsOf = (store: Store, job: JobRow): string[] =>
  store.jobs
    .events(job, 0, 10_000)
    .map(({ state }) => state)
    .filter((state) => state !== 'QUEUED' && state !== 'RUNNING');

test('the job of a killed engine is done by the next one; meanwhile the supervisor is degraded', async () => {
  const { store, file } = await storeWithCake();
  const supervisor = superviseInTest(store, file, { restartMs: { least: 300, most: 300 } });
  const job = startLong(store);
  const pid = await computing(store, supervisor, job);
  process.kill(pid, 'SIGKILL');
  await until(() => supervisor.status().deaths === 1, 'the death is seen');
  expect(supervisor.status()).toMatchObject({
    state: 'waiting',
    degraded: true,
    lastWords: 'ended by SIGKILL',
  });
  expect(store.jobs.get(job.key)).toMatchObject({ state: 'QUEUED', crashes: 1, attempts: 0 });
  expect(await ended(store, job)).toMatchObject({ state: 'COMPLETED', attempts: 1, crashes: 1 });
  expect(supervisor.status()).toMatchObject({ state: 'running', degraded: false, deaths: 1 });
  expect(endsOf(store, job)).toEqual(['COMPLETED']);
});

test('a job that engines die of is given up; the next job is done', async () => {
  const { store, file } = await storeWithCake();
  const supervisor = superviseInTest(store, file, { limits: { ...quickLimits, crashes: 2 } });
  const poison = startLong(store);
  const first = await computing(store, supervisor, poison);
  process.kill(first, 'SIGSEGV');
  process.kill(await computing(store, supervisor, poison, first), 'SIGSEGV');
  expect(await ended(store, poison)).toMatchObject({
    state: 'ERROR',
    errorCode: 'ENGINE_CRASHED',
    errorMessage: '2 engines died of this job; the last one said: ended by SIGSEGV',
  });
  expect(startLong(store).state).toBe('ERROR');
  expect((await ended(store, startJob(store, noRoots, 'run', smallRun))).state).toBe('COMPLETED');
});

test('an engine that says nothing is ended, by force where it must be, and its job done by another', async () => {
  const { store, file } = await storeWithCake();
  const supervisor = superviseInTest(store, file, {
    limits: { ...quickLimits, leaseMs: 60_000 },
    hangMs: 4000,
    graceMs: 200,
  });
  const job = startLong(store);
  process.kill(await computing(store, supervisor, job), 'SIGSTOP');
  expect(await ended(store, job)).toMatchObject({ state: 'COMPLETED', stalls: 1, crashes: 0 });
  expect(supervisor.lines.join('\n')).toMatch(/hangs; it is ended[^]*was ended by SIGKILL/);
});

test('an engine that was stopped past its lease writes nothing when it goes on', async () => {
  const { store, file } = await storeWithCake();
  const first = superviseInTest(store, file, { limits: { ...quickLimits, leaseMs: 600 } });
  const job = startLong(store);
  const pid = await computing(store, first, job);
  process.kill(pid, 'SIGSTOP');
  const { fence } = store.jobs.get(job.key);
  const second = superviseInTest(store, file);
  await until(() => store.jobs.get(job.key).fence > fence + 1, 'the other engine has it');
  const { owner } = store.jobs.get(job.key);
  process.kill(pid, 'SIGCONT');
  await until(
    () => first.lines.some((line) => line.includes('the claim has ended')),
    'the first one is told',
  );
  const done = await ended(store, job);
  expect(done).toMatchObject({ state: 'COMPLETED', stalls: 1 });
  expect(second.status().deaths + first.status().deaths).toBe(0);
  expect(endsOf(store, job)).toEqual(['COMPLETED']);
  expect(owner).not.toBeNull();
  expect(store.runs.all.count(null, {})).toBe(1);
});

test('a write whose claim has ended does not happen, in whichever part of the store', async () => {
  const store = temporaryStore();
  const { organism, corpus } = seedOrganism(store);
  const spec = { kind: 'run', spec: {}, organismId: organism.id };
  store.jobs.add({ ...spec, identity: 'a'.repeat(64) });
  const claim = store.jobs.claim('one', { ...quickLimits, leaseMs: 30 })!;
  const mine = guardedStore(store, () => void store.jobs.demand(claim));
  const record = syntheticRun({ organismId: organism.id, corpusId: corpus.id });
  await sleep(40);
  expect(store.jobs.claim('two')?.key).toBe(claim.key);
  expect(() => mine.runs.save(record)).toThrow(FenceLostError);
  expect(() => mine.transaction(() => mine.runs.save(record))).toThrow(FenceLostError);
  expect(() => mine.corpora.add({ ...corpus, name: 'other' })).toThrow(FenceLostError);
  expect(store.runs.all.count(null, {})).toBe(0);
  expect(store.corpora.find('other')).toBeUndefined();
});

test('a server that stops gives its job back, and the next one does it, once', async () => {
  const { store, file } = await storeWithCake();
  const first = superviseInTest(store, file);
  const job = startLong(store);
  await computing(store, first, job);
  const asked = performance.now();
  await first.stop();
  expect(performance.now() - asked).toBeLessThan(10_000);
  expect(store.jobs.get(job.key)).toMatchObject({ state: 'QUEUED', attempts: 0, crashes: 0, stalls: 0 });
  expect(first.status()).toMatchObject({ state: 'stopped', pid: null, degraded: false });
  superviseInTest(store, file);
  expect(await ended(store, job)).toMatchObject({ state: 'COMPLETED', attempts: 1 });
  expect(endsOf(store, job)).toEqual(['COMPLETED']);
});
