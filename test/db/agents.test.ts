import BetterSqlite3 from 'better-sqlite3';
import { expect, it } from 'vitest';
import type { Store } from '../../src/db/index.ts';
import { seedAgentRun, syntheticAgentSpec } from '../harness/synthetic-agent.ts';
import { syntheticGrade, syntheticGrader } from '../harness/synthetic-grades.ts';
import { seedOrganism } from '../harness/synthetic-run.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const all = { first: 1000 };

function prepared() {
  const store = temporaryStore();
  const { organism } = seedOrganism(store);
  return { store, organism };
}

/** What SQLite itself says to a statement, whoever makes it. */
function refusal(store: Store, sql: string): string {
  const sqlite = new BetterSqlite3(store.file);
  try {
    sqlite.exec(sql);
    return 'done';
  } catch (error) {
    return (error as Error).message;
  } finally {
    sqlite.close();
  }
}

it('an agent run is one row by all that decides it, and goes on until it has ended', () => {
  const { store, organism } = prepared();
  const spec = syntheticAgentSpec(organism, null);
  const begun = store.agentRuns.begin(spec);
  expect(begun).toMatchObject({ state: 'RUNNING', calls: 0, finishedAt: null });
  const stopped = store.agentRuns.end(begun, 'STOPPED', {
    error: { code: 'PROVIDER_BUSY', message: 'later' },
  });
  expect(stopped).toMatchObject({ state: 'STOPPED', errorCode: 'PROVIDER_BUSY', finishedAt: null });
  expect(store.agentRuns.begin(spec)).toEqual({ ...begun, state: 'RUNNING' });
  const done = store.agentRuns.end(begun, 'COMPLETED');
  expect(store.agentRuns.begin(spec)).toEqual(done);
  const others = [
    { kind: 'BLACK_BOX' },
    { pair: 'NULL' },
    { version: 2 },
    { promptDigest: 'q' },
    { model: 'n' },
    { parameters: { repeat: 1 } },
  ] as const;
  const keys = others.map((change) => store.agentRuns.begin({ ...spec, ...change }).key);
  expect(new Set([done.key, ...keys]).size).toBe(7);
  expect(() => store.agentRuns.end(begun, 'FAILED')).toThrow('has ended meanwhile');
  expect(store.agentRuns.ofOrganism.count(organism, { states: ['COMPLETED'] })).toBe(1);
  expect(store.agentRuns.all.count(null, { kinds: ['BLACK_BOX'] })).toBe(1);
});

it('what a call took is counted with its message, and what brought none is lost', () => {
  const { store, organism } = prepared();
  const run = store.agentRuns.begin(syntheticAgentSpec(organism, null));
  store.agentRuns.reserve(run, 50);
  store.agentRuns.release(run, 50);
  expect(store.agentRuns.reserve(run, 50)).toMatchObject({ pendingCalls: 2, pendingTokens: 50, calls: 0 });
  const spent = { calls: 2, promptTokens: 7, replyTokens: 20, interactions: 0 };
  const message = store.agentMessages.append(run, 0, { role: 'ASSISTANT', content: 'a', spent });
  expect(message.agentRun).toMatchObject({ calls: 2, promptTokens: 7, replyTokens: 20, pendingCalls: 0 });
  store.agentRuns.reserve(run, 30);
  expect(store.agentRuns.lose(run)).toMatchObject({
    calls: 3,
    replyTokens: 50,
    lostCalls: 1,
    lostTokens: 30,
    pendingCalls: 0,
    pendingTokens: 0,
  });
  expect(() => store.agentMessages.append(run, 0, { role: 'USER', content: 'b' })).toThrow(
    expect.objectContaining({ code: 'CONFLICT' }),
  );
});

it('a transcript is only appended to, and ends with its run', () => {
  const { store, organism } = prepared();
  const { agentRun } = seedAgentRun(store, organism, null);
  const messages = store.agentMessages.ofRun.page(agentRun, {}, all).rows;
  expect(messages.map(({ number, role }) => [number, role])).toEqual([
    [0, 'SYSTEM'],
    [1, 'ASSISTANT'],
    [2, 'TOOL'],
  ]);
  expect(messages[1]).toEqual(store.agentMessages.findByKey(`${agentRun.key}.M1`));
  expect(store.agentMessages.after(agentRun, 1)).toEqual([messages[2]]);
  const appended = 'a transcript is only appended to';
  const ended = 'an agent run that has ended stays as it is';
  expect(refusal(store, "update agent_messages set content = ''")).toBe(appended);
  expect(refusal(store, 'delete from agent_messages')).toBe(appended);
  expect(refusal(store, "update agent_runs set state = 'RUNNING'")).toBe(ended);
  expect(refusal(store, 'update hypotheses set confidence = 1')).toBe(ended);
  expect(refusal(store, 'delete from hypotheses')).toBe('hypotheses are withdrawn, never deleted');
  expect(() => store.agentMessages.append(agentRun, 3, { role: 'USER', content: 'more' })).toThrow(ended);

  const going = store.agentRuns.begin(syntheticAgentSpec(organism, null, { version: 2 }));
  expect(() => store.agentMessages.append(going, 1, { role: 'USER', content: 'too soon' })).toThrow(appended);
});

it('hypotheses are revised, withdrawn and graded', () => {
  const { store, organism } = prepared();
  const run = store.agentRuns.begin(syntheticAgentSpec(organism, null));
  const first = store.hypotheses.add(run, { text: 'cakes', confidence: 0.5, reason: 'tokens' });
  const second = store.hypotheses.add(run, { text: 'bread', confidence: 0.1, reason: '' });
  expect([first.key, second.number]).toEqual([`${run.key}.H1`, 2]);
  expect(store.hypotheses.change(run, 1, { confidence: 0.75 })).toMatchObject({
    confidence: 0.75,
    revisions: 1,
  });
  store.hypotheses.change(run, 2, { status: 'WITHDRAWN' });
  expect(
    store.hypotheses.ofRun.page(run, { statuses: ['ACTIVE'] }, all).rows.map(({ text }) => text),
  ).toEqual(['cakes']);
  expect(() => store.hypotheses.change(run, 3, {})).toThrow('H3');
  expect(() => store.hypotheses.add(run, { text: ' ', confidence: 0, reason: '' })).toThrow('text is empty');
  expect(() => store.hypotheses.change(run, 1, { confidence: 2 })).toThrow('from 0 to 1');

  const grader = store.graders.add(syntheticGrader({ name: 'hypothesis' }));
  const hypothesis = store.hypotheses.find(run, 1)!;
  const given = syntheticGrade(undefined as never, grader, {
    subject: { hypothesis },
    scale: 'SCORE',
    value: 4,
    tokenLabels: null,
  });
  const [grade] = store.grades.save([given]);
  expect(grade).toMatchObject({ value: 4, subjectKey: hypothesis.key, organismId: organism.id });
  expect(store.grades.findByKey(grade!.key)).toEqual(grade);
  expect(grade!.subject).toEqual({ hypothesis });
  expect(store.grades.ofHypothesis.page(hypothesis, {}, all).rows).toEqual([grade]);
});
