import { afterEach, expect, test, vi } from 'vitest';
import { anonymous, FenceLostError, jobLimits, type NewJob } from '../../src/db/index.ts';
import { startJob } from '../../src/jobs/index.ts';
import * as clock from '../../src/lib/boot-clock.ts';
import { noRoots, storeWithCake, smallRun } from '../harness/jobs.ts';
import { temporaryStore } from '../harness/temporary-store.ts';
import { seedRun } from '../harness/synthetic-run.ts';

const newJob = (name: string, priority = 0): NewJob => ({
  kind: 'run',
  spec: { name },
  identity: Buffer.from(name).toString('hex').padEnd(64, '0'),
  organismId: null,
  priority,
});

/** A clock that the test moves. */
function movedClock() {
  const now = { boot: 'first start', ms: 1_000_000 };
  vi.spyOn(clock, 'bootTime').mockImplementation(() => ({ ...now }));
  return now;
}

test('the same spec is the same job, with defaults filled in, and another is another', async () => {
  const { store } = await storeWithCake();
  const first = startJob(store, noRoots, 'run', smallRun);
  expect(startJob(store, noRoots, 'run', { mode: 'EXACT', dtype: 'float32', ...smallRun })).toEqual(first);
  expect(startJob(store, noRoots, 'run', { ...smallRun, top: 5 }).key).not.toBe(first.key);
  expect(first.key).toBe(first.identity.slice(0, 20));
  expect(store.jobs.events(first, 0, 10)).toMatchObject([{ number: 1, state: 'QUEUED' }]);
});

test('a spec that is wrong, or names what is not there, says which member', async () => {
  const { store } = await storeWithCake();
  const refusal = (kind: string, spec: unknown) => {
    try {
      startJob(store, noRoots, kind, spec);
    } catch (error) {
      return error;
    }
    return undefined;
  };
  expect(refusal('run', { ...smallRun, organism: 'bread' })).toMatchObject({
    code: 'NOT_FOUND',
    field: ['organism'],
    message: 'There is no organism "bread" here.',
  });
  expect(refusal('run', { ...smallRun, positions: 0 })).toMatchObject({
    code: 'INVALID',
    field: ['positions'],
  });
  expect(refusal('run', { ...smallRun, path: '/etc' })).toMatchObject({ code: 'INVALID' });
  expect(refusal('projection', { run: '0'.repeat(20) })).toMatchObject({ code: 'NOT_FOUND', field: ['run'] });
  expect(refusal('dance', {})).toMatchObject({ code: 'NOT_FOUND', field: ['kind'] });
  expect(store.jobs.all.count(null, {})).toBe(0);
});

test('claims go by priority, then by age, and each job to one engine', () => {
  const store = temporaryStore();
  for (const [name, priority] of [
    ['a', 0],
    ['b', 5],
    ['c', 5],
  ] as const)
    store.jobs.add(newJob(name, priority));
  const claimed = [1, 2, 3, 4].map((engine) => store.jobs.claim(`engine ${engine}`)?.spec['name']);
  expect(claimed).toEqual(['b', 'c', 'a', undefined]);
});

test('a lease that ran out is claimed by another, and the first can write nothing more', () => {
  const now = movedClock();
  const store = temporaryStore();
  store.jobs.add(newJob('a'));
  const first = store.jobs.claim('one')!;
  now.ms += jobLimits.leaseMs - 1;
  expect(store.jobs.claim('two')).toBeUndefined();
  store.jobs.renew(first);
  now.ms += jobLimits.leaseMs - 1;
  expect(store.jobs.claim('two')).toBeUndefined();
  now.ms += 1;
  const second = store.jobs.claim('two')!;
  expect(second).toMatchObject({ key: first.key, owner: 'two', attempts: 1, stalls: 1 });
  for (const write of [
    () => store.jobs.renew(first),
    () => store.jobs.progress(first, { phase: 'forward', done: 1, total: 2 }),
    () => store.jobs.complete(first, { run: 'x' }),
    () => store.jobs.fail(first, { code: 'X', message: 'x', retry: false }),
    () => store.jobs.giveBack(first),
    () => store.jobs.endCancelled(first),
    () => store.jobs.demand(first),
  ])
    expect(write).toThrow(FenceLostError);
  expect(store.jobs.complete(second, { run: 'y' })).toMatchObject({
    state: 'COMPLETED',
    result: { run: 'y' },
  });
  expect(() => store.jobs.complete(second, { run: 'z' })).toThrow(FenceLostError);
});

test('a wall clock that jumps a day ends no lease; a machine that started anew ends all', () => {
  const now = movedClock();
  const store = temporaryStore();
  store.jobs.add(newJob('a'));
  const claim = store.jobs.claim('one')!;
  vi.useFakeTimers({ toFake: ['Date'] });
  for (const days of [1, -1]) {
    vi.setSystemTime(Date.now() + days * 86_400_000);
    expect(store.jobs.claim('two')).toBeUndefined();
  }
  vi.useRealTimers();
  expect(store.jobs.demand(claim).owner).toBe('one');
  Object.assign(now, { boot: 'second start', ms: 5 });
  expect(store.jobs.claim('two')).toMatchObject({ key: claim.key, owner: 'two' });
});

test('a job that stalls three times is given up', () => {
  const now = movedClock();
  const store = temporaryStore();
  const { key } = store.jobs.add(newJob('a'));
  for (let claim = 1; claim <= 3; claim++) {
    expect(store.jobs.claim('one')).toMatchObject({ key, stalls: claim - 1 });
    now.ms += jobLimits.leaseMs;
  }
  expect(store.jobs.claim('one')).toBeUndefined();
  expect(store.jobs.get(key)).toMatchObject({ state: 'ERROR', errorCode: 'JOB_STALLED', stalls: 3 });
});

test('failures that another attempt may avoid are tried three times, later each time', () => {
  const now = movedClock();
  const store = temporaryStore();
  const { key } = store.jobs.add(newJob('a'));
  const waits: number[] = [];
  for (let attempt = 1; attempt <= 3; attempt++) {
    const begun = now.ms;
    let claim = store.jobs.claim('one');
    for (; !claim; claim = store.jobs.claim('one')) now.ms += 10;
    waits.push(now.ms - begun);
    expect(claim.attempts).toBe(attempt);
    store.jobs.fail(claim, { code: 'OUT_OF_MEMORY', message: 'no memory', retry: true });
  }
  expect(store.jobs.get(key)).toMatchObject({ state: 'ERROR', errorCode: 'OUT_OF_MEMORY', attempts: 3 });
  expect(waits[0]).toBe(0);
  expect(waits[1]).toSatisfy((ms: number) => ms >= 250 && ms <= 510);
  expect(waits[2]).toSatisfy((ms: number) => ms >= 500 && ms <= 1010);
});

test('a job that five engines died of is an error for good, with the last words; others are started again', () => {
  const now = movedClock();
  const store = temporaryStore();
  const { key } = store.jobs.add(newJob('poison'));
  for (let death = 1; death <= 5; death++) {
    now.ms += 60_000;
    expect(store.jobs.claim(`engine ${death}`)).toMatchObject({ key, attempts: 1 });
    store.jobs.abandon(`engine ${death}`, 'crashed', `Segmentation fault ${death}`);
  }
  const dead = store.jobs.get(key);
  expect(dead).toMatchObject({
    state: 'ERROR',
    errorCode: 'ENGINE_CRASHED',
    errorMessage: '5 engines died of this job; the last one said: Segmentation fault 5',
  });
  expect(store.jobs.add(newJob('poison'))).toEqual(dead);
  expect(store.jobs.claim('six')).toBeUndefined();

  const other = store.jobs.add(newJob('other'));
  expect(store.jobs.cancel(other.key).state).toBe('CANCELLED');
  expect(store.jobs.add(newJob('other'))).toMatchObject({ key: other.key, state: 'QUEUED' });
});

test('cancelling a claimed job asks its engine; whoever ends it, it is cancelled; started again meanwhile it goes on', () => {
  const now = movedClock();
  const store = temporaryStore();
  const { key } = store.jobs.add(newJob('a'));
  const first = store.jobs.claim('one')!;
  expect(store.jobs.cancel(key)).toMatchObject({ state: 'RUNNING', cancelRequested: true });
  store.jobs.add(newJob('a'));
  expect(store.jobs.endCancelled(first)).toMatchObject({ state: 'QUEUED', attempts: 0 });
  store.jobs.claim('two');
  store.jobs.cancel(key);
  now.ms += jobLimits.leaseMs;
  expect(store.jobs.claim('three')).toBeUndefined();
  expect(store.jobs.get(key)).toMatchObject({ state: 'CANCELLED', cancelRequested: false });
});

test('a job is seen as its organism is', () => {
  const store = temporaryStore();
  const run = seedRun(store);
  store.jobs.add({ ...newJob('a'), organismId: run.organismId });
  const stranger = store.as(anonymous);
  const key = newJob('a').identity.slice(0, 20);
  expect(store.jobs.findByKey(key)?.key).toBe(key);
  expect(stranger.jobs.findByKey(key)).toBeUndefined();
  expect(stranger.jobs.all.count(null, {})).toBe(0);
  expect(() => stranger.jobs.cancel(key)).toThrow(`no job "${key}"`);
});

test('an idempotency key does its work once, and refuses another request', () => {
  const store = temporaryStore();
  const request = { client: 'me', key: 'k', payloadHash: 'one' };
  const fails = () => {
    throw new Error('not done');
  };
  expect(() => store.idempotencyKeys.once(request, fails)).toThrow('not done');
  expect(store.idempotencyKeys.once(request, () => 'made')).toEqual({ resultKey: 'made', repeated: false });
  expect(store.idempotencyKeys.once(request, fails)).toEqual({ resultKey: 'made', repeated: true });
  expect(() => store.idempotencyKeys.once({ ...request, payloadHash: 'two' }, fails)).toThrow(
    'the idempotency key "k" was used for another request',
  );
  expect(store.idempotencyKeys.once({ ...request, client: 'you', payloadHash: 'two' }, () => null)).toEqual({
    resultKey: null,
    repeated: false,
  });
  vi.useFakeTimers({ toFake: ['Date'] });
  vi.setSystemTime(Date.now() + 24 * 3_600_000 + 1);
  expect(store.idempotencyKeys.once(request, () => 'again')).toEqual({ resultKey: 'again', repeated: false });
  vi.useRealTimers();
});

afterEach(() => void vi.restoreAllMocks());
