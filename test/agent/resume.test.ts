import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openStore } from '../../src/db/index.ts';
import { packageRoot } from '../../src/lib/package-root.ts';
import { answering, calling, handed } from '../harness/agent.ts';
import { chatServer, type Reaction, type Received } from '../harness/chat-server.ts';
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
  const start = (file: string, kill = '') => {
    const child = spawn(process.execPath, [program, file, server.url, kill], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    return child;
  };
  const ended = async (child: ReturnType<typeof start>) =>
    (await once(child, 'exit')) as [number | null, string | null];
  return { server, storeOf, start, ended };
}

test('killed after a reply was stored, and after a message was, a run goes on without asking again', async () => {
  const { server, storeOf, start, ended } = await stage(script);
  const undisturbed = storeOf('undisturbed');
  expect(await ended(start(undisturbed))).toEqual([0, null]);
  expect(server.requests).toHaveLength(5);

  const disturbed = storeOf('disturbed');
  for (const kill of ['put 1', 'message 5', 'put 0']) {
    expect(await ended(start(disturbed, kill))).toEqual([null, 'SIGKILL']);
  }
  expect(await ended(start(disturbed))).toEqual([0, null]);
  expect(server.requests).toHaveLength(10);
  expect(kept(disturbed, { left: true })).toEqual(kept(undisturbed, { left: true }));
});

test('killed while a call is under way, a run asks for that reply alone again, and counts both', async () => {
  let child: ReturnType<Awaited<ReturnType<typeof stage>>['start']> | undefined;
  const { server, storeOf, start, ended } = await stage((request) => {
    if (request.number !== 2) return script(request);
    child?.kill('SIGKILL');
    return { stall: 'AT_ONCE' };
  });
  const disturbed = storeOf('disturbed');
  child = start(disturbed);
  expect(await ended(child)).toEqual([null, 'SIGKILL']);
  expect(server.requests).toHaveLength(3);
  child = undefined;
  expect(await ended(start(disturbed))).toEqual([0, null]);
  const turns = server.requests.map(({ body }) => body.messages.length);
  expect(turns).toEqual([2, 4, 6, 6, 8, 10]);

  const undisturbed = storeOf('undisturbed');
  expect(await ended(start(undisturbed))).toEqual([0, null]);
  expect(kept(disturbed, { left: false })).toEqual(kept(undisturbed, { left: false }));
  const store = openStore(disturbed, { readonly: true });
  const [agentRun] = store.agentRuns.all.page(null, {}, { first: 1 }).rows;
  // Ten tokens a reply, and what the one that never came may have had.
  expect(agentRun).toMatchObject({ calls: 6, replyTokens: 5 * 10 + 10_000 });
  store.close();
});
