import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openStore } from '../../src/db/index.ts';
import { packageRoot } from '../../src/lib/package-root.ts';
import { type Moment, runStoredAgent } from '../harness/stored-agent.ts';
import { answering, calling, handed } from '../harness/agent.ts';
import { chatServer, type Reaction, type Received } from '../harness/chat-server.ts';
import { runOutLeases } from '../harness/run-out-leases.ts';
import { seedResults, seedVector } from '../harness/synthetic-results.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

const program = join(packageRoot(), 'test/harness/agent-process.ts');

/** What the agent says follows from how far it is. */
const replies: Reaction[] = [
  calling('track_hypothesis', { action: 'add', hypothesis: 'cakes' }),
  calling('ask_models', { prompts: ['a', 'b'] }),
  calling('get_tokens', { method: 'patchscope', positions: [0] }),
  calling('track_hypothesis', { action: 'revise', number: 1, confidence: 0.75 }),
  answering(),
];
const script = ({ body }: Received): Reaction =>
  replies[body.messages.filter(({ role }) => role === 'assistant').length]!;

/** Everything that was kept of the run in this file, without the random lines and the time. */
function kept(file: string, { left }: { left: boolean }) {
  const store = openStore(file, { readonly: true });
  const [agentRun] = store.agentRuns.all.page(null, {}, { first: 1 }).rows;
  const messages = store.agentMessages
    .after(agentRun!, -1)
    .map(({ role, content, calls, tool, interactions }) => {
      const data = content.startsWith('=====') ? handed(content) : { content };
      if (!left) delete data.left;
      return { role, data, calls, tool, interactions };
    });
  const hypotheses = store.hypotheses.ofRun
    .page(agentRun!, {}, { first: 9 })
    .rows.map(({ text, confidence, status, revisions }) => ({ text, confidence, status, revisions }));
  const { key, state, calls, replyTokens, interactions } = agentRun!;
  store.close();
  return { messages, hypotheses, run: { key, state, ...(left && { calls, replyTokens }), interactions } };
}

/** Stores with the same run in them, an agent to start on each in a process of its own. */
async function stage(script: Parameters<typeof chatServer>[0]) {
  const folder = temporaryFolder();
  const first = join(folder, 'first.sqlite');
  const seeded = openStore(first);
  seedResults(seeded, seedVector(seeded));
  seeded.close();
  const server = await chatServer(script);
  const storeOf = (name: string) => {
    const file = join(folder, `${name}.sqlite`);
    copyFileSync(first, file);
    return file;
  };
  /** A process of its own, which does not come to an end by itself. */
  const killed = async (file: string, moment: Moment = '', onStart?: (child: ChildProcess) => void) => {
    const child = spawn(process.execPath, [program, file, server.url, moment], { stdio: 'inherit' });
    onTestFinished(() => void child.kill('SIGKILL'));
    onStart?.(child);
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    runOutLeases(file);
  };
  const finish = (file: string) => runStoredAgent(file, server.url);
  return { server, storeOf, killed, finish };
}

test('killed after a reply was stored, and after a message was, a run goes on without asking again', async () => {
  const { server, storeOf, killed, finish } = await stage(script);
  const [undisturbed, disturbed] = [storeOf('undisturbed'), storeOf('disturbed')];
  await finish(undisturbed);
  expect(server.requests).toHaveLength(5);
  await killed(disturbed, 'put 1');
  await killed(disturbed, 'message 5');
  await finish(disturbed);
  expect(server.requests).toHaveLength(10);
  expect(kept(disturbed, { left: true })).toEqual(kept(undisturbed, { left: true }));
});

test('killed while a call is under way, a run asks for that reply alone again, and counts both; a second process beside it pays nothing', async () => {
  let child: ChildProcess | undefined;
  let disturbed = '';
  let second: unknown;
  const { server, storeOf, killed, finish } = await stage(async (request) => {
    if (request.number !== 2) return script(request);
    second = await finish(disturbed).catch((error: unknown) => error);
    child?.kill('SIGKILL');
    return { stall: 'AT_ONCE' };
  });
  const undisturbed = storeOf('undisturbed');
  disturbed = storeOf('disturbed');
  await killed(disturbed, '', (started) => (child = started));
  expect(second).toMatchObject({
    code: 'CONFLICT',
    message: expect.stringMatching(
      `^process ${child?.pid} is at work on agent run [0-9a-f]{20}, since .*; ask again when it has ended, or, if it was killed, in \\d+ s$`,
    ) as string,
  });
  expect(server.requests).toHaveLength(3);
  await finish(disturbed);
  expect(server.requests.map(({ body }) => body.messages.length)).toEqual([2, 4, 6, 6, 8, 10]);

  await finish(undisturbed);
  expect(kept(disturbed, { left: false })).toEqual(kept(undisturbed, { left: false }));
  const store = openStore(disturbed, { readonly: true });
  const [agentRun] = store.agentRuns.all.page(null, {}, { first: 1 }).rows;
  // Ten tokens a reply, and what the one that never came may have had.
  expect(agentRun).toMatchObject({ calls: 6, replyTokens: 5 * 10 + 10_000 });
  store.close();
});

test('a process whose run was taken over, since it was not heard of, pays for nothing more and writes nothing', async () => {
  let file = '';
  let other: Promise<void> | undefined;
  const { server, storeOf, finish } = await stage(async (request) => {
    if (request.number === 0) {
      runOutLeases(file);
      other = finish(file);
      await other;
    }
    return script(request);
  });
  file = storeOf('contested');
  await expect(finish(file)).rejects.toMatchObject({
    code: 'CONFLICT',
    message: expect.stringContaining('another process has taken over the work on agent run') as string,
  });
  await other;
  // Once what the first had under way, then the run of the second.
  expect(server.requests.map(({ body }) => body.messages.length)).toEqual([2, 2, 4, 6, 8, 10]);
  const { run } = kept(file, { left: true });
  expect(run).toMatchObject({ state: 'COMPLETED', calls: 6, interactions: 2 });
});
