import { describe, expect, test } from 'vitest';
import type { ExchangeRow } from '../../src/db/index.ts';
import type { Clock } from '../../src/graders/clock.ts';
import { type Tool, tools } from '../../src/agent/tools/index.ts';
import { agentBench, answering, calling, echoes, handed, lastHanded } from '../harness/agent.ts';
import type { Reaction, Received } from '../harness/chat-server.ts';
import { execute } from '../harness/ask.ts';
import { instantClock } from '../harness/instant-clock.ts';
import { syntheticAgentSpec } from '../harness/synthetic-agent.ts';
import { syntheticExperiment, syntheticReadings } from '../harness/synthetic-results.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const ask = (...prompts: string[]) => calling('ask_models', { prompts });
const final = 'FINAL({"answer": "Cakes.", "confidence": 0.5, "inconclusive": false})';

describe('an agent', () => {
  test('is shown a small overview, calls tools, keeps a board and answers', async () => {
    const { store, server, start, transcript } = await agentBench([
      calling('track_hypothesis', {
        action: 'add',
        hypothesis: 'baking',
        confidence: 0.25,
        reason: 'tokens',
      }),
      calling('get_tokens', { method: 'patchscope', positions: [0], k: 1 }),
      calling('get_steered_samples', { position: 0, n: 1 }),
      ask('What is a cake?'),
      calling('track_hypothesis', { action: 'revise', number: 1, confidence: 0.75 }),
      calling('generate_steered', { position: 0, prompts: ['Say'] }),
      answering('False facts about cakes.'),
    ]);
    const { agentRun, answer, reused } = await start();
    expect({ reused, state: agentRun.state, conclusive: agentRun.conclusive }).toEqual({
      reused: false,
      state: 'COMPLETED',
      conclusive: true,
    });
    expect(answer).toMatchObject({ text: 'False facts about cakes.', confidence: 0.5, status: 'FINAL' });
    expect(agentRun).toMatchObject({ calls: 7, promptTokens: 700, replyTokens: 70, interactions: 2 });

    const [overview, board, tokens, samples, asked, revised, steered] = server.requests.map(lastHanded);
    expect(overview.left).toEqual({ calls: 16, tokens: 100_000, interactions: 5 });
    expect(overview.overview.positions[0].tokens.patchscope).toEqual([
      [' at 0.7', 0.5],
      [null, 0.25],
    ]);
    expect(overview.overview.positions[0].steered.pairs[0]).toEqual({
      prompt: 'Tell me a story.',
      steered: 'Bake 00',
      unsteered: 'Say 00',
    });
    expect(board.result).toEqual([{ number: 1, hypothesis: 'baking', confidence: 0.25 }]);
    expect(tokens.result.positions).toEqual([{ position: 0, tokens: [[' at 0.7', 0.5]] }]);
    expect(samples.result.pairs).toHaveLength(1);
    expect(asked).toMatchObject({
      result: [
        {
          prompt: 'What is a cake?',
          base: 'base of What is a cake?',
          finetuned: 'finetuned of What is a cake?',
        },
      ],
      hypotheses: [{ number: 1 }],
      left: { calls: 12, interactions: 4 },
    });
    expect(revised.result[0].confidence).toBe(0.75);
    expect(steered).toMatchObject({ result: { strength: 12.5, texts: [{ steered: 'Say at 12.5' }] } });

    // The transcript is what was sent, and what came.
    const sent = server.requests.at(-1)!.body.messages;
    expect(
      transcript()
        .slice(0, -2)
        .map(({ content }) => content),
    ).toEqual(sent.map(({ content }) => content ?? ''));
    expect(sent.filter(({ role }) => role === 'tool').map(({ tool_call_id: id }) => id)).toEqual(
      sent.filter(({ role }) => role === 'assistant').map(({ tool_calls: calls }) => calls![0]!.id),
    );
    expect(store.hypotheses.ofRun.page(agentRun, {}, { first: 9 }).rows.map(({ text }) => text)).toEqual([
      'baking',
      'False facts about cakes.',
    ]);
  });

  test('that has ended is returned as it stands, and nobody is asked', async () => {
    const { server, start } = await agentBench([answering()]);
    const first = await start();
    const again = await start();
    expect(again).toEqual({ ...first, reused: true });
    expect(server.requests).toHaveLength(1);
    const other = await start({ repeat: 1 });
    expect(other.agentRun.key).not.toBe(first.agentRun.key);
    expect(server.requests).toHaveLength(2);
  });

  test('is another once more has been read out of the run or made of it', async () => {
    const { store, run, server, start } = await agentBench([answering('first'), answering('second')]);
    const first = await start();
    const vector = store.diffVectors.findByKey(`${run.key}.L1.P1`)!;
    store.steering.save(syntheticExperiment(vector));
    const second = await start();
    expect([second.reused, second.answer?.text]).toEqual([false, 'second']);
    expect((await start()).agentRun.key).toBe(second.agentRun.key);
    store.projections.save(syntheticReadings(vector));
    expect((await start()).agentRun.key).not.toBe(second.agentRun.key);
    expect(server.requests).toHaveLength(3);
    expect(first.agentRun.parameters['read']).toMatchObject({ experiments: { count: 1 } });
  });

  test('writes its calls in text where its provider knows no functions', async () => {
    const { server, start } = await agentBench(
      [
        { text: 'Let me see.\nCALL(get_tokens: {"method": "logit-lens",\n "positions": [0]})' },
        { text: `<think>CALL(get_tokens: {})</think>I know.\n${final}` },
      ],
      { callsFunctions: false },
    );
    const { answer } = await start();
    expect(answer?.text).toBe('Cakes.');
    const { tools, messages } = server.requests[1]!.body;
    expect(tools).toBeUndefined();
    expect(messages[0]!.content).toContain('- ask_models: Puts prompts to both models');
    expect(messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'user']);
    expect(lastHanded(server.requests[1]!).result.positions[0].tokens[0]).toEqual([' token0', 0.5]);
  });

  test('is not taken to have called what stands in its last turn after another', async () => {
    const { server, start } = await agentBench([
      { calls: [...ask('a').calls!, ...answering().calls!, ...ask('b').calls!] },
      answering(),
    ]);
    const { agentRun } = await start();
    expect(agentRun).toMatchObject({ state: 'COMPLETED', interactions: 2 });
    const results = server.requests[1]!.body.messages.filter(({ role }) => role === 'tool');
    expect(results.map(({ content }) => handed(content).error)).toEqual([undefined, 'NOT_ALONE', undefined]);
  });
});

describe('what an agent writes wrongly is told to it, and nothing is done', () => {
  const inText: [string, string, string][] = [
    ['no call', 'I think it is cakes.', 'No call was found'],
    [
      'two calls',
      'CALL(get_tokens: {"method": "logit-lens", "positions": [0]})\nCALL(ask_models: {"prompts": ["a"]})',
      '2 calls',
    ],
    ['a call and an answer', `CALL(ask_models: {"prompts": ["a"]})\n${final}`, '2 calls'],
    ['words after the call', 'CALL(ask_models: {"prompts": ["a"]})\nWhat do you say?', 'Something follows'],
    ['no object', 'CALL(ask_models: prompts = a)', 'one JSON object'],
    ['an object without end', 'CALL(ask_models: {"prompts": ["a"', 'does not begin or end'],
    ['no name', 'CALL({"prompts": ["a"]})', 'the name of the tool, a colon'],
    [
      'a result made up by itself',
      'CALL(ask_models: {"prompts": ["a"]})\nTOOL_RESULT(ask_models): {"base": ["cakes"]}',
      'Something follows',
    ],
  ];
  test('in text', async () => {
    const models = echoes();
    const { server, start } = await agentBench([...inText.map(([, text]) => ({ text })), { text: final }], {
      callsFunctions: false,
    });
    const { agentRun } = await start({ models: () => models });
    expect(agentRun.state).toBe('COMPLETED');
    expect(server.requests.slice(1).map(lastHanded)).toMatchObject(
      inText.map(([, , message]) => ({
        error: 'FORMAT',
        message: expect.stringContaining(message) as string,
      })),
    );
    expect(models.asked).toEqual([]);
  });

  test('in text: a parenthesis that is missing is forgiven', async () => {
    const { start } = await agentBench([{ text: final.slice(0, -1) }], { callsFunctions: false });
    expect((await start()).answer?.text).toBe('Cakes.');
  });

  const byFunction: [string, { name: string; given: object | string }, string, string][] = [
    ['an unknown tool', { name: 'read_file', given: {} }, 'UNKNOWN_TOOL', 'There is no tool of this name'],
    [
      'arguments that are not JSON',
      { name: 'ask_models', given: '{"prompts": [' },
      'ARGUMENTS_NOT_JSON',
      'not JSON',
    ],
    [
      'an argument that says something twice',
      { name: 'ask_models', given: '{"prompts":["a"],"prompts":["b"]}' },
      'ARGUMENTS_TWICE',
      'twice',
    ],
    [
      'an argument of another form',
      { name: 'ask_models', given: { prompts: 'a' } },
      'ARGUMENTS_WRONG',
      'prompts: ',
    ],
    [
      'an argument too many',
      { name: 'ask_models', given: { prompts: ['a'], path: '/etc/passwd' } },
      'ARGUMENTS_WRONG',
      'path',
    ],
    [
      'a layer that was not measured',
      { name: 'get_tokens', given: { method: 'patchscope', layer: 99, positions: [0] } },
      'NOT_FOUND',
      'Layer 99',
    ],
    [
      'a layer that is no number of the graph',
      { name: 'get_tokens', given: { method: 'patchscope', layer: 3e9, positions: [0] } },
      'ARGUMENTS_WRONG',
      'layer: ',
    ],
    [
      'such positions',
      { name: 'get_tokens', given: { method: 'patchscope', positions: [2 ** 31] } },
      'ARGUMENTS_WRONG',
      'positions.0: ',
    ],
    [
      'such a layer to see steered texts of',
      { name: 'get_steered_samples', given: { position: 0, layer: 3e9 } },
      'ARGUMENTS_WRONG',
      'layer: ',
    ],
    [
      'such a position to steer by',
      { name: 'generate_steered', given: { position: 3e9, prompts: ['a'] } },
      'ARGUMENTS_WRONG',
      'position: ',
    ],
    [
      'a layer to steer at that was not measured',
      { name: 'generate_steered', given: { position: 0, layer: 99, prompts: ['a'] } },
      'NOT_FOUND',
      'Layer 99 was not measured',
    ],
    [
      'a hypothesis that is not there',
      { name: 'track_hypothesis', given: { action: 'withdraw', number: 3 } },
      'NOT_FOUND',
      'No hypothesis',
    ],
    [
      'more interactions than are left',
      { name: 'ask_models', given: { prompts: ['a', 'b', 'c', 'd', 'e', 'f'] } },
      'INTERACTIONS_EXHAUSTED',
      '6 interactions are asked for and 5 are left',
    ],
  ];
  test('by function', async () => {
    const models = echoes();
    const wrong = byFunction.map(([, { name, given }]) => calling(name, given));
    const { server, start } = await agentBench([...wrong, { text: 'Cakes, I think.' }, answering()]);
    const { agentRun } = await start({ models: () => models, budget: { calls: 20 } });
    expect(agentRun).toMatchObject({ state: 'COMPLETED', interactions: 0 });
    expect(server.requests.slice(1).map(lastHanded)).toMatchObject([
      ...byFunction.map(([, , error, message]) => ({
        error,
        message: expect.stringContaining(message) as string,
      })),
      { error: 'FORMAT', message: 'No function was called. Every turn calls one.' },
    ]);
    expect(models.asked).toEqual([]);
  });
});

describe('a tool that asks the graph', () => {
  const asking = (document: string, variables: Record<string, unknown>): Tool => ({
    ...{ name: 'look', description: 'x', schema: { type: 'object' }, offered: () => true },
    call: async (_, { ask }) => ({ result: (await ask(document, variables)) as string }),
  });
  test('for what cannot be is told so by the graph, and the run goes on', async () => {
    const look = asking('query ($n: Int!) { run(key: "x") { layer(layer: $n) { layer } } }', { n: 3e9 });
    const { server, start } = await agentBench([calling('look', {}), answering()]);
    expect((await start({ tools: [...tools, look] })).agentRun.state).toBe('COMPLETED');
    expect(lastHanded(server.requests[1]!)).toMatchObject({
      error: 'BAD_USER_INPUT',
      message: expect.stringContaining('3000000000') as string,
    });
  });

  test('and gets none since the store fails stops the run: nothing is told to be missing', async () => {
    for (const call of [
      calling('get_steered_samples', { position: 0 }),
      calling('generate_steered', { position: 0, prompts: ['a'] }),
    ]) {
      const store = temporaryStore();
      let fails = false;
      const runs: typeof store.runs = {
        ...store.runs,
        findByKey(key) {
          if (fails) throw new Error('disk I/O error');
          return store.runs.findByKey(key);
        },
      };
      const { server, start } = await agentBench(
        ({ body }: Received) => {
          fails = body.messages.length === 2;
          return fails ? call : answering();
        },
        { store: { ...store, as: () => ({ ...store, runs }) } },
      );
      await expect(start()).rejects.toThrow('disk I/O error');
      fails = false;
      expect((await start()).agentRun.state).toBe('COMPLETED');
      expect(lastHanded(server.requests[1]!).result).toBeDefined();
    }
  });
});

describe('budgets', () => {
  test('of calls: the last turn is forced to be the answer', async () => {
    const { server, start } = await agentBench([ask('a'), ask('b'), answering()]);
    const { agentRun } = await start({ budget: { calls: 3 } });
    expect(agentRun).toMatchObject({ state: 'COMPLETED', calls: 3 });
    expect(server.requests.map(({ body }) => body.tool_choice)).toEqual([
      undefined,
      undefined,
      { type: 'function', function: { name: 'give_answer' } },
    ]);
    expect(lastHanded(server.requests[2]!)).toMatchObject({
      left: { calls: 1 },
      note: expect.stringContaining('last turn') as string,
    });
  });

  test('of calls: who does not answer in the last turn has none, and the transcript is kept', async () => {
    const { store, server, start, transcript } = await agentBench([ask('a'), ask('b'), ask('c')]);
    const models = echoes();
    await expect(start({ budget: { calls: 2 }, models: () => models })).rejects.toMatchObject({
      code: 'NO_ANSWER',
    });
    expect(server.requests).toHaveLength(2);
    expect(models.asked).toEqual([['a']]);
    expect(transcript().map(({ role }) => role)).toEqual([
      'SYSTEM',
      'USER',
      'ASSISTANT',
      'TOOL',
      'ASSISTANT',
      'TOOL',
    ]);
    expect(store.agentRuns.all.page(null, {}, { first: 1 }).rows[0]).toMatchObject({
      state: 'FAILED',
      errorCode: 'NO_ANSWER',
      calls: 2,
    });
  });

  test('of tokens: a reply may have what is left, and no call is made without', async () => {
    const spending = { ...ask('a'), usage: { prompt_tokens: 1, completion_tokens: 60 } };
    const { server, start } = await agentBench([
      spending,
      { ...ask('b'), usage: { prompt_tokens: 1, completion_tokens: 40 } },
    ]);
    await expect(start({ budget: { tokens: 100 } })).rejects.toMatchObject({ code: 'BUDGET_EXHAUSTED' });
    expect(server.requests.map(({ body }) => body.max_tokens)).toEqual([100, 40]);
  });

  test('of calls and tokens: attempts that failed count, and what may have been paid for', async () => {
    const broken = { cutAfter: 50, said: ask('a') };
    const { store, server, start } = await agentBench([broken, { status: 500 }, answering()]);
    const { agentRun } = await start({ replyTokens: 1000 });
    expect(server.requests).toHaveLength(3);
    expect(agentRun).toMatchObject({ calls: 3, replyTokens: 1010, state: 'COMPLETED' });
    expect(store.agentRuns.getById(agentRun.id)).toMatchObject({ pendingCalls: 0, pendingTokens: 0 });
  });

  test('of calls: trying again ends where they do', async () => {
    const { server, start } = await agentBench([{ status: 500 }]);
    await expect(start({ budget: { calls: 3 } })).rejects.toMatchObject({
      code: 'BUDGET_EXHAUSTED',
      message: expect.stringMatching(
        /^the agent had no call left before it answered; .* Its last call failed, PROVIDER_FAILED: 500 /,
      ) as string,
    });
    expect(server.requests).toHaveLength(3);
  });

  test('of tokens: what a provider counts as none, or as more than can be, is the most it may have been', async () => {
    const counted = (completion_tokens: number, prompt_tokens = 7) => ({ prompt_tokens, completion_tokens });
    const { store, organism, server, start } = await agentBench([
      { ...ask('a'), usage: counted(0) },
      { ...ask('b'), usage: counted(9e15, 9e15) },
      { ...ask('c'), usage: counted(30, 2 ** 31) },
      answering(),
    ]);
    const { agentRun } = await start({ budget: { tokens: 1000 }, replyTokens: 100 });
    expect(server.requests.map((request) => lastHanded(request).left.tokens)).toEqual([1000, 900, 800, 770]);
    expect(agentRun).toMatchObject({ replyTokens: 240, promptTokens: 7 + 0 + 0 + 100 });
    // A transcript of numbers that an older version believed can be read, too.
    const older = store.agentRuns.begin(syntheticAgentSpec(organism, null));
    store.agentMessages.append(older, 0, {
      ...{ role: 'ASSISTANT', content: 'x' },
      spent: { promptTokens: 3e9, replyTokens: 4e9 },
    });
    const { data, errors } = await execute(
      store,
      `{ agentRun(key: "${older.key}") { messages(last: 1) { edges { node { promptTokens replyTokens } } } } }`,
    );
    expect(errors).toBeUndefined();
    expect(data!['agentRun'].messages.edges[0].node).toEqual({ promptTokens: 3e9, replyTokens: 4e9 });
  });

  test('of calls in one turn: one with more than can be meant is none', async () => {
    const { server, start } = await agentBench([
      { calls: Array.from({ length: 33 }, () => ask('a').calls![0]!) },
      answering(),
    ]);
    const models = echoes();
    const { agentRun } = await start({ models: () => models });
    expect(agentRun.state).toBe('COMPLETED');
    expect(lastHanded(server.requests[1]!)).toMatchObject({
      error: 'FORMAT',
      message: '33 functions were called, and none was done; call a few of them.',
    });
    expect(server.requests[1]!.body.messages).toHaveLength(4);
    expect(models.asked).toEqual([]);
  });

  test('of money: what a process may spend stops the run, and with more it goes on', async () => {
    const { store, server, start } = await agentBench([ask('a'), ask('b'), answering()]);
    const limits = (money: number) => ({ money, prices: { prompt: 0, completion: 1e6 } });
    // A reply costs 10, and may cost 100.
    const asked = start({ replyTokens: 100, limits: limits(105) });
    await expect(asked).rejects.toMatchObject({
      code: 'LIMIT_REACHED',
      message: expect.stringContaining('asked again, with a higher limit, it goes on') as string,
    });
    expect(server.requests).toHaveLength(1);
    expect(store.agentRuns.all.page(null, {}, { first: 1 }).rows[0]).toMatchObject({
      ...{ state: 'STOPPED', errorCode: 'LIMIT_REACHED', calls: 1 },
    });
    const { agentRun } = await start({ replyTokens: 100, limits: limits(1000) });
    expect(agentRun).toMatchObject({ state: 'COMPLETED', calls: 3 });
    expect(server.requests).toHaveLength(3);
  });

  test('of calls a minute', async () => {
    const clock = instantClock();
    const { start } = await agentBench([ask('a'), ask('b'), answering()]);
    await start({ clock, limits: { callsPerMinute: 1 } });
    expect(clock.waits).toEqual([60_000, 60_000]);
  });

  describe('of time', () => {
    const slowly = (clock: Clock, ...said: Reaction[]) => {
      let at = 0;
      return async () => {
        await clock.wait(6_000);
        return said[Math.min(at++, said.length - 1)]!;
      };
    };
    const note = { note: expect.stringContaining('last turn') as string };

    test('when it is up, the next turn is forced to be the answer', async () => {
      const clock = instantClock();
      const { server, start } = await agentBench(slowly(clock, ask('a'), ask('b'), answering()));
      const { agentRun } = await start({ budget: { seconds: 10 }, clock });
      expect(agentRun).toMatchObject({ state: 'COMPLETED', spentMs: 18_000, pendingMs: 0 });
      expect(agentRun.parameters['budget']).toMatchObject({ seconds: 10 });
      const told = server.requests.map(lastHanded);
      expect(told.map(({ left }) => left.seconds)).toEqual([10, 4, 0]);
      expect(told[1]).not.toMatchObject(note);
      expect(told[2]).toMatchObject(note);
      expect(server.requests.map(({ body }) => body.tool_choice !== undefined)).toEqual([false, false, true]);
    });

    test('who does not answer then has no answer, and nobody is asked any more', async () => {
      const clock = instantClock();
      const models = echoes();
      const { server, start } = await agentBench(slowly(clock, ask('a'), ask('b')));
      const asked = start({ budget: { seconds: 6 }, clock, models: () => models });
      await expect(asked).rejects.toMatchObject({ code: 'NO_ANSWER' });
      expect(server.requests).toHaveLength(2);
      expect(models.asked).toEqual([['a']]);
    });

    test('only work counts, of all processes that did some', async () => {
      const clock = instantClock();
      let broken = true;
      const { server, start } = await agentBench(async ({ body }: Received) => {
        await clock.wait(6_000);
        if (body.messages.length === 2) return ask('a');
        return broken ? { status: 400 } : answering();
      });
      const budget = { seconds: 60 };
      await expect(start({ budget, clock })).rejects.toMatchObject({ code: 'PROVIDER_REFUSED' });
      await clock.wait(3_600_000);
      broken = false;
      const { agentRun } = await start({ budget, clock });
      expect(lastHanded(server.requests[2]!).left.seconds).toBe(54);
      expect(agentRun).toMatchObject({ state: 'COMPLETED', spentMs: 18_000 });
    });

    test('a reply that was paid for is used, though the time was up when its process died', async () => {
      const clock = instantClock();
      const store = temporaryStore();
      let dies = true;
      const exchanges = {
        ...store.exchanges,
        put<Reply>(exchange: ExchangeRow<Reply>) {
          const stands = store.exchanges.put(exchange);
          if (dies) throw new Error('killed');
          return stands;
        },
      };
      const { server, start } = await agentBench(slowly(clock, ask('a'), answering()), {
        store: { ...store, exchanges },
      });
      const options = { clock, budget: { seconds: 5 } };
      await expect(start(options)).rejects.toThrow('killed');
      expect(server.requests).toHaveLength(1);
      dies = false;
      const { agentRun } = await start(options);
      expect(agentRun.state).toBe('COMPLETED');
      expect(server.requests.map(({ body }) => body.messages.length)).toEqual([2, 4]);
      expect(lastHanded(server.requests[1]!)).toMatchObject({ left: { seconds: 0 }, ...note });
    });
  });

  test('of interactions: none means no models to ask', async () => {
    const { server, start } = await agentBench([answering()]);
    const opened: string[] = [];
    await start({ budget: { interactions: 0 }, models: () => (opened.push('models'), echoes()) });
    expect(opened).toEqual([]);
    expect(server.requests[0]!.body.tools?.map((tool) => tool.function.name)).toEqual([
      'get_tokens',
      'get_steered_samples',
      'track_hypothesis',
      'give_answer',
    ]);
  });
});

test('a provider that fails stops the run, which goes on when it is asked for again', async () => {
  let broken = true;
  const { store, server, start, transcript } = await agentBench(({ body }: Received) => {
    if (body.messages.length === 2) return ask('a');
    return broken ? { status: 400 } : answering();
  });
  await expect(start()).rejects.toMatchObject({ code: 'PROVIDER_REFUSED' });
  const [stopped] = store.agentRuns.all.page(null, {}, { first: 1 }).rows;
  expect(stopped).toMatchObject({ state: 'STOPPED', errorCode: 'PROVIDER_REFUSED', lostCalls: 1 });
  expect(transcript()).toHaveLength(4);
  broken = false;
  const { agentRun } = await start();
  expect(agentRun).toMatchObject({ key: stopped!.key, state: 'COMPLETED', calls: 3, errorCode: null });
  expect(server.requests).toHaveLength(3);
});
