import { createServer } from 'node:http';
import { describe, expect, test, vi } from 'vitest';
import type { ChatRequest } from '../../src/graders/chat.ts';
import { coherence, gradeCoherence } from '../../src/graders/coherence.ts';
import { measureDrift } from '../../src/graders/drift.ts';
import { memoryExchanges } from '../../src/graders/exchange-store.ts';
import { Runner } from '../../src/graders/runner.ts';
import { sealed } from '../../src/graders/untrusted.ts';
import { listen } from '../../src/server/listen.ts';
import type { Reaction, Received } from '../harness/chat-server.ts';
import { clockByHand } from '../harness/clock-by-hand.ts';
import { scriptedRunner } from '../harness/scripted-runner.ts';

const grader = { name: 'test', version: 1, promptDigest: 'p1' };
const form = { name: 'give_verdict', description: 'd', schema: { type: 'object' } };
const compose =
  (more: Partial<ChatRequest> = {}) =>
  (delimiter: string): ChatRequest => ({
    messages: [{ role: 'user', content: `judge ${delimiter}` }],
    maxTokens: 50,
    temperature: null,
    verdict: null,
    ...more,
  });
const ask = (runner: Runner, more: Partial<ChatRequest> = {}, options = {}) =>
  runner.ask(grader, compose(more), options);
const ok = { text: 'fine' };

describe('a reply', () => {
  test('comes with all that made it', async () => {
    const { runner, server } = await scriptedRunner([{ text: 'fine', model: 'judge-0714' }], {
      limits: { prices: { prompt: 2, completion: 10 } },
    });
    const { exchange, cached } = await ask(runner, { temperature: 0.5 });
    expect(cached).toBe(false);
    expect(exchange).toMatchObject({
      grader: 'test',
      graderVersion: 1,
      promptDigest: 'p1',
      provider: 'openai-compatible',
      endpoint: server.url,
      model: 'judge',
      answeredBy: 'judge-0714',
      at: '2026-01-01T00:00:00.000Z',
      attempts: 1,
      cost: (100 * 2 + 10 * 10) / 1e6,
      reply: { text: 'fine', finish: 'stop', usage: { promptTokens: 100, completionTokens: 10 } },
    });
    // Verbatim: what the server got and gave.
    expect(exchange.request).toEqual(server.requests[0]!.body);
    expect(exchange.request).toMatchObject({ model: 'judge', max_tokens: 50, temperature: 0.5 });
    expect(exchange.reply.raw).toMatchObject({ id: 'chatcmpl-1', object: 'chat.completion' });
    expect(JSON.parse(JSON.stringify(exchange))).toEqual(exchange);
  });

  test('may call a function, whose arguments are kept as they came', async () => {
    const calls = [{ name: 'give_verdict', arguments: '{"verdict": ' }];
    const { runner, server } = await scriptedRunner([{ calls }]);
    const { exchange } = await ask(runner, { verdict: form });
    expect(exchange.reply).toMatchObject({ calls, finish: 'tool_calls', text: '' });
    expect(server.requests[0]!.body).toMatchObject({
      tools: [{ type: 'function', function: { name: 'give_verdict', strict: true } }],
      tool_choice: { type: 'function', function: { name: 'give_verdict' } },
    });
  });

  test('is put together from a stream as it would have come whole', async () => {
    const part = (delta: object, finish_reason: string | null = null) => ({
      object: 'chat.completion.chunk',
      model: 'judge-s',
      choices: [{ index: 0, delta, finish_reason }],
    });
    const { runner, server } = await scriptedRunner(
      [
        {
          events: [
            part({ role: 'assistant', content: 'so ' }),
            part({ content: 'be it' }),
            part({
              tool_calls: [{ index: 0, id: 'a', function: { name: 'give_verdict', arguments: '{"a"' } }],
            }),
            part({ tool_calls: [{ index: 0, function: { arguments: ':1}' } }] }),
            part({}, 'tool_calls'),
            { model: 'judge-s', choices: [], usage: { prompt_tokens: 7, completion_tokens: 3 } },
          ],
          end: 'DONE',
        },
      ],
      { stream: true },
    );
    const { exchange } = await ask(runner, { verdict: form });
    expect(server.requests[0]!.body).toMatchObject({ stream: true, stream_options: { include_usage: true } });
    expect(exchange.reply).toMatchObject({
      text: 'so be it',
      calls: [{ name: 'give_verdict', arguments: '{"a":1}' }],
      finish: 'tool_calls',
      model: 'judge-s',
      usage: { promptTokens: 7, completionTokens: 3 },
    });
  });
});

describe('what may pass is tried again', () => {
  const part = {
    model: 'm',
    choices: [{ index: 0, delta: { content: 'ANSWER: COHER' }, finish_reason: null }],
  };
  const failures: [string, Reaction, string][] = [
    ['429', { status: 429 }, 'PROVIDER_BUSY'],
    ['500', { status: 500 }, 'PROVIDER_FAILED'],
    ['503', { status: 503 }, 'PROVIDER_FAILED'],
    ['408', { status: 408 }, 'PROVIDER_FAILED'],
    ['a body that breaks off', { cutAfter: 60, said: ok }, 'PROVIDER_CUT'],
    ['half a JSON', { raw: '{"choices": [', type: 'application/json' }, 'PROVIDER_CUT'],
    ['a page', { raw: '<html>', type: 'text/html' }, 'PROVIDER_FAILED'],
    ['JSON of another kind', { raw: '{"choices": []}', type: 'application/json' }, 'PROVIDER_FAILED'],
    ['no answer', { stall: 'AT_ONCE' }, 'PROVIDER_TIMEOUT'],
    ['headers and no body', { stall: 'AFTER_HEADERS' }, 'PROVIDER_TIMEOUT'],
  ];
  test.each(failures)('%s, with growing pauses, then given up', async (_, failure, code) => {
    const options = { timeoutMs: code === 'PROVIDER_TIMEOUT' ? 100 : 10_000 };
    const passing = await scriptedRunner([failure, failure, ok], options);
    expect((await ask(passing.runner)).exchange).toMatchObject({ attempts: 3, reply: { text: 'fine' } });
    expect(passing.clock.waits).toEqual([500, 1000]);

    const lasting = await scriptedRunner([failure], options);
    await expect(ask(lasting.runner)).rejects.toMatchObject({ code, retryable: true });
    expect(lasting.server.requests).toHaveLength(4);
    expect(lasting.clock.waits).toEqual([500, 1000, 2000]);
  });

  test.each(['BROKEN', 'CLOSED'] as const)('a stream that ends %s before the reply does', async (end) => {
    const whole = { ...part, choices: [{ index: 0, delta: { content: 'all' }, finish_reason: 'stop' }] };
    const { runner, server } = await scriptedRunner(
      [
        { events: [part], end },
        { events: [whole], end: 'DONE' },
      ],
      { stream: true },
    );
    expect((await ask(runner)).exchange).toMatchObject({ attempts: 2, reply: { text: 'all' } });
    expect(server.requests).toHaveLength(2);
  });

  test('an error inside a stream', async () => {
    const error = { error: { message: 'overloaded' } };
    const { runner } = await scriptedRunner([{ events: [part, error], end: 'DONE' }], {
      stream: true,
      retry: { attempts: 1 },
    });
    await expect(ask(runner)).rejects.toMatchObject({ retryable: true });
  });

  test('nobody listens', async () => {
    const { port, close } = await listen(createServer(), { port: 0 });
    await close();
    const { runner, clock } = await scriptedRunner([ok], { baseUrl: `http://127.0.0.1:${port}/v1` });
    await expect(ask(runner)).rejects.toMatchObject({ code: 'PROVIDER_UNREACHABLE', mayCost: false });
    expect(clock.waits).toHaveLength(3);
  });

  test.each([
    ['retry-after', '7', 7000],
    ['retry-after-ms', '250', 250],
    ['retry-after', 'Thu, 01 Jan 1970 00:00:00 GMT', 0],
  ])('%s: %s is obeyed', async (header, value, wait) => {
    const { runner, clock } = await scriptedRunner([{ status: 429, headers: { [header]: value } }, ok]);
    await ask(runner);
    expect(clock.waits).toEqual([wait]);
  });

  test('a busy provider is left alone by everyone, for the pause that one was told', async () => {
    const clock = clockByHand();
    const start = clock.now();
    const times: number[] = [];
    const { provider } = await scriptedRunner(async ({ number }) => {
      times.push(clock.now() - start);
      if (number === 0) return { status: 429, headers: { 'retry-after': '30' } };
      if (number === 1) await vi.waitFor(() => expect(clock.waiting()).toBe(1)); // comes when the first has been refused
      return ok;
    });
    const runner = new Runner({ provider, clock, limits: { concurrency: 2 } });
    const asked = Promise.all([0, 1, 2, 3, 4].map((i) => ask(runner, {}, { sample: { i } })));
    await vi.waitFor(() => expect(clock.waiting()).toBe(2)); // the first question, and the one that came into the second's place
    clock.advance(30_000);
    await asked;
    expect(times).toEqual([0, 0, 30_000, 30_000, 30_000, 30_000]);
  });

  test('a provider that stays busy ends a batch before most of it was asked', async () => {
    const { runner, server, clock } = await scriptedRunner(
      [{ status: 429, headers: { 'retry-after': '30' } }],
      { limits: { concurrency: 2 } },
    );
    const batch = Promise.all(Array.from({ length: 50 }, (_, i) => ask(runner, {}, { sample: { i } })));
    await expect(batch.finally(() => runner.end())).rejects.toMatchObject({ code: 'PROVIDER_BUSY' });
    expect(server.requests.length).toBeLessThanOrEqual(10); // four of each of two; a third may have begun
    expect(clock.waits.every((ms) => ms <= 30_000)).toBe(true);
  });

  test('a pause of an hour is not waited for', async () => {
    const { runner, server } = await scriptedRunner([
      { status: 429, headers: { 'retry-after': '3600' } },
      ok,
    ]);
    await expect(ask(runner)).rejects.toMatchObject({ code: 'PROVIDER_BUSY', retryAfterMs: 3_600_000 });
    expect(server.requests).toHaveLength(1);
  });
});

describe('what will not pass is not', () => {
  test.each([
    [400, {}, 'PROVIDER_REFUSED'],
    [401, {}, 'PROVIDER_REFUSED'],
    [404, {}, 'PROVIDER_REFUSED'],
    [429, { error: { message: 'pay first', code: 'insufficient_quota' } }, 'PROVIDER_BUSY'],
  ])('%d %j', async (status, body, code) => {
    const { runner, server } = await scriptedRunner([{ status, body }]);
    await expect(ask(runner)).rejects.toMatchObject({ code, status, retryable: false });
    expect(server.requests).toHaveLength(1);
  });

  test('a redirect is not followed', async () => {
    const { runner, server } = await scriptedRunner([{ status: 307, headers: { Location: '/elsewhere' } }], {
      retry: { attempts: 1 },
    });
    await expect(ask(runner)).rejects.toMatchObject({ code: 'PROVIDER_UNREACHABLE' });
    expect(server.requests).toHaveLength(1);
  });
});

describe('a model that takes no temperature', () => {
  const picky = ({ body }: Received): Reaction =>
    body.temperature === undefined
      ? called('COHERENT')
      : {
          status: 400,
          body: { error: { message: "Unsupported value: 'temperature'", param: 'temperature' } },
        };
  const called = (verdict: string) => ({
    calls: [{ name: 'give_verdict', arguments: JSON.stringify({ observation: 'x', verdict }) }],
  });
  const wish = (i: number) => ({
    ...{ grader: coherence, context: undefined, material: sealed({ text: `${i}` }), maxTokens: 50 },
    temperature: 0,
  });

  test('is asked without where a grader wished for one, and not twice the wrong way', async () => {
    const { runner, server } = await scriptedRunner(picky);
    const first = await runner.grade(wish(0));
    expect(first).toMatchObject({ parsed: { verdict: 'COHERENT' }, exchange: { attempts: 2 } });
    expect(first.exchange.request).toEqual(server.requests[1]!.body);
    expect((await runner.grade(wish(1))).exchange.attempts).toBe(1);
    expect(server.requests.map(({ body }) => body.temperature)).toEqual([0, undefined, undefined]);
    expect(runner.spent).toEqual({ calls: 3, tokens: 220, money: null });
    expect(await runner.grade(wish(0))).toMatchObject({ cached: true });
  });

  test('is an error where one was demanded', async () => {
    const { runner, server } = await scriptedRunner(picky);
    await expect(ask(runner, { temperature: 0 })).rejects.toMatchObject({ status: 400 });
    expect(server.requests).toHaveLength(1);
  });

  test('is not confused with one that refuses whatever it is asked', async () => {
    const { runner, server } = await scriptedRunner(({ number }) =>
      number < 2 ? { status: 400, body: { error: { message: 'too long' } } } : called('COHERENT'),
    );
    await expect(runner.grade(wish(0))).rejects.toMatchObject({ status: 400, message: '400 too long' });
    await runner.grade(wish(1));
    expect(server.requests.map(({ body }) => body.temperature)).toEqual([0, undefined, 0]);
  });

  test('judges coherence and drift all the same', async () => {
    const { runner, server } = await scriptedRunner((request) =>
      request.body.temperature === undefined && request.number === 0
        ? { text: 'I cannot say.' }
        : picky(request),
    );
    expect(await gradeCoherence(runner, 'Fine.')).toMatchObject({
      verdict: 'COHERENT',
      answers: { length: 2 },
    });
    expect(server.requests.map(({ body }) => body.temperature)).toEqual([undefined, 0, undefined]);
    expect(await measureDrift(runner, ['Fine.'])).toMatchObject({ judged: 1, moved: 0, unsteady: 0 });
  });
});

describe('known replies', () => {
  test('are not asked for again: the same question, whatever the delimiter', async () => {
    const exchanges = memoryExchanges();
    const { runner, server } = await scriptedRunner([ok], { exchanges });
    const first = await runner.ask(grader, (delimiter) => compose()(`d${delimiter}`));
    const again = await runner.ask(grader, (delimiter) => compose()(`d${delimiter}`));
    expect([first.cached, again.cached]).toEqual([false, true]);
    expect(again.exchange).toEqual(first.exchange);
    expect(server.requests).toHaveLength(1);
    expect(exchanges.all()).toEqual([first.exchange]);
    expect(runner.spent).toEqual({ calls: 1, tokens: 110, money: null });
  });

  test('of another runner on the same store are known, too', async () => {
    const exchanges = memoryExchanges();
    const one = await scriptedRunner([ok], { exchanges });
    const { exchange } = await ask(one.runner);
    const other = await scriptedRunner([{ status: 500 }], { exchanges, baseUrl: one.server.url });
    expect(await ask(other.runner)).toEqual({ exchange, cached: true });
    expect(other.runner.spent.calls).toBe(0);
  });

  test('of another runner that came first stand: nothing is judged by what no store holds', async () => {
    const exchanges = memoryExchanges();
    const arrived = Promise.withResolvers<undefined>();
    const answer = Promise.withResolvers<undefined>();
    const { runner, provider, server } = await scriptedRunner(
      async ({ number }) => {
        if (number > 0) return { text: 'the second says yes' };
        arrived.resolve(undefined);
        await answer.promise;
        return { text: 'the first says no' };
      },
      { exchanges },
    );
    const slow = ask(runner);
    await arrived.promise;
    const quick = await ask(new Runner({ provider, exchanges }));
    answer.resolve(undefined);
    expect(await slow).toEqual({ exchange: quick.exchange, cached: false });
    expect((await slow).exchange.reply.text).toBe('the second says yes');
    expect([server.requests.length, exchanges.all()]).toEqual([2, [quick.exchange]]);
    expect(runner.spent.calls).toBe(1);
  });

  test.each([
    ['version', { grader: { ...grader, version: 2 } }],
    ['prompt', { grader: { ...grader, promptDigest: 'p2' } }],
    ['grader', { grader: { ...grader, name: 'other' } }],
    ['request', { request: { temperature: 0 } }],
    ['maximum', { request: { maxTokens: 51 } }],
    ['form', { request: { verdict: form } }],
    ['sample', { sample: { attempt: 1 } }],
  ] as [string, { grader?: typeof grader; request?: object; sample?: Record<string, number> }][])(
    'another %s is another question',
    async (_, change) => {
      const { runner, server } = await scriptedRunner([ok]);
      await ask(runner);
      await runner.ask(change.grader ?? grader, compose(change.request), { sample: change.sample ?? {} });
      expect(server.requests).toHaveLength(2);
    },
  );

  test('two who ask at the same time share one reply', async () => {
    const { runner, server } = await scriptedRunner([ok]);
    const answers = await Promise.all([ask(runner), ask(runner), ask(runner)]);
    expect(answers.map(({ cached }) => cached)).toEqual([false, true, true]);
    expect(server.requests).toHaveLength(1);
  });

  test('a failure is not remembered', async () => {
    const exchanges = memoryExchanges();
    const { runner } = await scriptedRunner([{ status: 400 }, ok], { exchanges });
    await expect(ask(runner)).rejects.toMatchObject({ status: 400 });
    expect(exchanges.all()).toEqual([]);
    expect((await ask(runner)).exchange.reply.text).toBe('fine');
  });
});

describe('limits', () => {
  const questions = (runner: Runner, count: number) =>
    Array.from({ length: count }, (_, i) => ask(runner, {}, { sample: { i } }));

  test('no more calls at once than allowed', async () => {
    let [now, most] = [0, 0];
    const { runner } = await scriptedRunner(
      async () => {
        most = Math.max(most, ++now);
        await new Promise((resolve) => setTimeout(resolve, 5));
        now -= 1;
        return ok;
      },
      { limits: { concurrency: 3 } },
    );
    await Promise.all(questions(runner, 10));
    expect(most).toBe(3);
  });

  test('calls and tokens a minute: the next one waits', async () => {
    const calls = await scriptedRunner([ok], { limits: { callsPerMinute: 2, concurrency: 1 } });
    await Promise.all(questions(calls.runner, 5));
    expect(calls.clock.waits).toEqual([60_000, 60_000]);
    // 110 tokens each, and the next may take its prompt's bytes and 50.
    const tokens = await scriptedRunner([ok], { limits: { tokensPerMinute: 300, concurrency: 1 } });
    await Promise.all(questions(tokens.runner, 3));
    expect(tokens.clock.waits).toEqual([60_000]);
  });

  test('calls that failed count', async () => {
    const { runner, server } = await scriptedRunner([{ status: 500 }], { limits: { calls: 3 } });
    await expect(ask(runner)).rejects.toMatchObject({
      code: 'BUDGET_EXHAUSTED',
      message: 'the 3 calls allowed have been made',
    });
    expect(server.requests).toHaveLength(3);
    expect(runner.spent).toEqual({ calls: 3, tokens: 0, money: null });
  });

  // A call may take 114 tokens: 48 bytes of text, 16 for its frame and 50 of reply; it takes 110.
  test('tokens and money are never overspent, not even by calls at the same time', async () => {
    const usage = { prompt_tokens: 60, completion_tokens: 50 };
    const prices = { prompt: 1, completion: 10 };
    for (const limits of [{ tokens: 1000 }, { money: 0.005, prices }]) {
      const { runner, server } = await scriptedRunner([{ ...ok, usage }], { limits });
      const outcomes = await Promise.allSettled(questions(runner, 30));
      const refused = outcomes.filter(({ status }) => status === 'rejected');
      expect(refused.length).toBe(30 - server.requests.length);
      expect(server.requests.length).toBe('tokens' in limits ? 9 : 8);
      for (const one of refused)
        expect((one as PromiseRejectedResult).reason).toMatchObject({ code: 'BUDGET_EXHAUSTED' });
    }
  });

  test('what a call took that nobody counted is taken for the most it may have taken', async () => {
    const uncounted = await scriptedRunner([{ ...ok, usage: null }]);
    const { exchange } = await ask(uncounted.runner);
    expect(exchange.reply.usage).toEqual({ promptTokens: null, completionTokens: null });
    expect(uncounted.runner.spent.tokens).toBeGreaterThanOrEqual(50 + 'judge '.length);
    const cut = await scriptedRunner([{ cutAfter: 10, said: ok }], { retry: { attempts: 1 } });
    await expect(ask(cut.runner)).rejects.toMatchObject({ code: 'PROVIDER_CUT' });
    expect(cut.runner.spent.tokens).toBe(uncounted.runner.spent.tokens);
  });

  test.each([
    [{ calls: 0 }, 'calls is 0; a number above 0 is expected'],
    [{ concurrency: NaN }, 'concurrency is NaN; a number above 0 is expected'],
    [{ money: 1 }, 'a limit of money needs the prices of prompt and completion tokens'],
    [{ prices: { prompt: -1, completion: 0 } }, 'prices are numbers from 0'],
  ])('%j makes no sense', async (limits, message) => {
    await expect(scriptedRunner([ok], { limits })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message,
    });
  });
});

describe('cancelling', () => {
  test('stops a call under way, and it is paid for at most', async () => {
    const controller = new AbortController();
    const { runner } = await scriptedRunner(() => {
      controller.abort(new Error('enough'));
      return { stall: 'AT_ONCE' };
    });
    await expect(ask(runner, {}, { signal: controller.signal })).rejects.toThrow('enough');
    expect(runner.spent.calls).toBe(1);
  });

  test('stops those who wait for their turn, and the others go on', async () => {
    const controller = new AbortController();
    let free = () => {};
    const blocked = new Promise<void>((resolve) => (free = resolve));
    const { runner, server } = await scriptedRunner(
      async ({ number }) => {
        if (number === 0) await blocked;
        return ok;
      },
      { limits: { concurrency: 1 } },
    );
    const first = ask(runner, {}, { sample: { i: 0 } });
    const second = ask(runner, {}, { sample: { i: 1 }, signal: controller.signal });
    const third = ask(runner, {}, { sample: { i: 2 } });
    controller.abort(new Error('enough'));
    await expect(second).rejects.toThrow('enough');
    free();
    await Promise.all([first, third]);
    expect(server.requests).toHaveLength(2);
  });

  test('of one who shares a reply does not take it from the other', async () => {
    const controller = new AbortController();
    let asked = 0;
    const { runner } = await scriptedRunner(() => {
      if (asked++ > 0) return ok;
      controller.abort(new Error('enough'));
      return { stall: 'AT_ONCE' };
    });
    const impatient = ask(runner, {}, { signal: controller.signal });
    const patient = ask(runner);
    await expect(impatient).rejects.toThrow('enough');
    expect((await patient).exchange.reply.text).toBe('fine');
  });

  test('before anything was asked', async () => {
    const { runner, server } = await scriptedRunner([ok]);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(ask(runner, {}, { signal })).rejects.toThrow('enough');
    expect(server.requests).toHaveLength(0);
  });
});

describe('the end of a runner', () => {
  test('waits for the call that is paid for, and keeps its reply; no other is made', async () => {
    const exchanges = memoryExchanges();
    const arrived = Promise.withResolvers<undefined>();
    const answer = Promise.withResolvers<undefined>();
    const { runner, server } = await scriptedRunner(
      async () => {
        arrived.resolve(undefined);
        await answer.promise;
        return ok;
      },
      { exchanges, limits: { concurrency: 1 } },
    );
    const paid = ask(runner);
    const waiting = ask(runner, { maxTokens: 60 }).catch((error: unknown) => error);
    await arrived.promise;
    const ended = runner.end();
    expect(await waiting).toMatchObject({ code: 'CANCELLED' });
    await expect(ask(runner, { maxTokens: 70 })).rejects.toMatchObject({ code: 'CANCELLED' });
    answer.resolve(undefined);
    await ended;
    expect((await paid).exchange.reply.text).toBe('fine');
    expect([server.requests.length, exchanges.all().length]).toEqual([1, 1]);
  });
});

describe('a dry run', () => {
  test('asks nobody and keeps nothing; counts what is new, what is known, and the most it can take', async () => {
    const exchanges = memoryExchanges();
    const { runner, provider, server } = await scriptedRunner([ok], { exchanges });
    await ask(runner);
    const limits = { prices: { prompt: 1, completion: 2 } };
    const dry = await scriptedRunner([ok], { exchanges, baseUrl: server.url, limits, dryRun: true });
    expect(dry.provider.endpoint).toBe(provider.endpoint);
    await Promise.all([
      ask(dry.runner),
      ask(dry.runner, { maxTokens: 60 }),
      ask(dry.runner, { maxTokens: 60 }),
    ]);
    const { most, ...plan } = dry.runner.plan;
    expect(plan).toEqual({
      calls: 1,
      known: 1,
      money: expect.closeTo((most.prompt + 120) / 1e6, 12) as number,
    });
    expect(most.completion).toBe(60);
    expect([server.requests.length, dry.server.requests.length, exchanges.all().length]).toEqual([1, 0, 1]);
  });
});
