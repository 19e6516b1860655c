import { expect, test } from 'vitest';
import { agentBench, answering, calling } from '../harness/agent.ts';

test('stopped during a call, a run keeps the reply, which is paid for, and goes on from it', async () => {
  const controller = new AbortController();
  const { server, store, start } = await agentBench(({ number }) => {
    if (number === 0)
      return calling('track_hypothesis', { action: 'add', hypothesis: 'baking', confidence: 0.25 });
    controller.abort(new Error('enough'));
    return answering();
  });
  await expect(start({ signal: controller.signal })).rejects.toThrow('enough');
  const [stopped] = store.agentRuns.all.page(null, {}, { first: 1 }).rows;
  expect(stopped).toMatchObject({ state: 'STOPPED', calls: 2 });
  const { agentRun, answer } = await start();
  expect(agentRun).toMatchObject({ state: 'COMPLETED', calls: 2 });
  expect([answer?.text, server.requests.length]).toEqual(['Cakes.', 2]);
});
