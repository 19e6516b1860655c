import { join } from 'node:path';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '../../src/db/index.ts';
import { answering, calling } from '../harness/agent.ts';
import { chatServer } from '../harness/chat-server.ts';
import { deltascope } from '../harness/command.ts';
import { seedResults, seedVector } from '../harness/synthetic-results.ts';

let data = '';
beforeAll(() => {
  data = mkdtempSync(join(tmpdir(), 'deltascope-'));
  const store = openStore(join(data, 'deltascope.sqlite'));
  seedResults(store, seedVector(store));
  store.close();
});
afterAll(() => rmSync(data, { recursive: true, force: true }));

const agent = (...args: string[]) => deltascope('agent', 'tiny-cake', ...args, '--data', data);

test('reads by rules without a key, says so, and prints the transcript when asked', async () => {
  const { code, stdout, stderr } = await agent('--offline', '--transcript');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('[0] SYSTEM\nBaseline: rules, and no language model.');
  expect(stdout).toMatch(/tiny-cake: agent run [0-9a-f]{20} \(offline baseline, no language model\)/);
  expect(stdout).toMatch(
    /graded by offline-hypothesis\.\w+: 25% \(F1 of shared words; .*no language model judged this/,
  );
});

test('lets a language model find out, has another score it, and asks nobody again', async () => {
  const server = await chatServer(({ body }) => {
    if (body.model === 'judge') return calling('give_score', { weighing: 'x', score: 3 });
    return body.messages.length === 2
      ? calling('track_hypothesis', { action: 'add', hypothesis: 'baking\u001b[2J', confidence: 0.25 })
      : answering('Cakes are baked at 450 degrees.');
  });
  const asked = [
    '--model',
    'm',
    '--base-url',
    server.url,
    '--allow-loopback',
    '--no-key',
    '--judge',
    'judge',
  ];
  const first = await agent(...asked);
  expect({ code: first.code, stderr: first.stderr }).toEqual({ code: 0, stderr: '' });
  expect(first.stdout).toMatch(
    /\(agent: m\)\n2 calls, 200 \+ 20 tokens, 0 interactions, [\d.]+ s\nanswer, conclusive, confidence 0\.5:/,
  );
  expect(first.stdout).toContain('baking\\u{1b}[2J');
  expect(first.stdout).toMatch(/graded by offline-hypothesis\.\w+: 100%/);
  expect(first.stdout).toMatch(/graded by hypothesis\.\w+: 3 of 5\n/);
  const requests = server.requests.length;
  expect((await agent(...asked)).stdout).toMatch(
    /\(agent: m\)\nended before, at \S+, and was not asked again; --repeat makes another attempt\n/,
  );
  const again = await agent(...asked, '--json', '--transcript');
  expect(server.requests).toHaveLength(requests);
  expect(JSON.parse(again.stdout)).toMatchObject({
    ...{
      organism: 'tiny-cake',
      kind: 'AGENT',
      state: 'COMPLETED',
      reused: true,
      error: null,
      conclusive: true,
    },
    answer: { text: 'Cakes are baked at 450 degrees.', confidence: 0.5 },
    hypotheses: [
      { number: 1, status: 'ACTIVE' },
      { number: 2, status: 'FINAL' },
    ],
    grades: [
      { scale: 'SHARE', value: 1 },
      { scale: 'SCORE', value: 3 },
    ],
    transcript: { 2: { role: 'ASSISTANT', calls: [{ name: 'track_hypothesis' }] } },
  });
  // A checkpoint that judges is opened, and its name is put to no server.
  const local = await agent(...asked.slice(0, -1), `local:${data}`);
  expect([local.code, local.stderr]).toEqual([1, expect.stringContaining(`${data}/config.json`)]);
  expect(server.requests).toHaveLength(requests);
});

test('who did not answer has a transcript, and the command fails', async () => {
  const server = await chatServer([calling('track_hypothesis', { action: 'list' })]);
  const asked = [
    '--model',
    'm',
    '--base-url',
    server.url,
    '--allow-loopback',
    '--no-key',
    '--budget-calls',
    '1',
  ];
  const { code, stderr } = await agent(...asked);
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: 'deltascope: the agent did not answer in its last turn; its transcript is kept\n',
  });
  const again = await agent(...asked, '--transcript');
  expect(again.code).toBe(1);
  expect(again.stdout).toContain('→ track_hypothesis {"action":"list"}');
  expect(again.stdout).toContain('no answer: the agent did not answer in its last turn');
});

test('spends no more than it may, says so, and goes on when it may', async () => {
  const server = await chatServer([calling('track_hypothesis', { action: 'list' }), answering()]);
  const asked = ['--model', 'm', '--base-url', server.url, '--allow-loopback', '--no-key', '--repeat', '7'];
  const limited = [...asked, '--reply-tokens', '100', '--prompt-price', '0', '--reply-price', '10000'];
  const { code, stderr } = await agent(...limited, '--max-cost', '1.05');
  expect([code, server.requests.length]).toEqual([1, 1]);
  expect(stderr).toBe(
    'deltascope: 0.9500 of the money allowed (1.05) is left; the next call may cost 1.0000; asked again, with a higher limit, it goes on\n',
  );
  expect((await agent(...limited, '--max-cost', '2')).code).toBe(0);
  expect(server.requests).toHaveLength(2);
  const unpriced = await agent(...asked, '--max-cost', '2');
  expect(unpriced.stderr).toContain('a limit of money needs the prices');
});

test('says what is missing', async () => {
  const nobody = await agent();
  expect([nobody.code, nobody.stderr]).toEqual([
    1,
    'deltascope: name the language model with --model, or read without one: --offline\n',
  ]);
  const keyless = await agent('--model', 'm', '--key-variable', 'NO_SUCH_KEY');
  expect(keyless.stderr).toBe('deltascope: the variable NO_SUCH_KEY has no key in it\n');
  expect((await agent('--offline', '--model', 'm')).code).toBe(2);
  expect((await deltascope('agent', 'nobody', '--offline', '--data', data)).stderr).toContain(
    'no organism and no run "nobody"',
  );
});
