import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { memoryExchanges } from '../../src/graders/exchange-store.ts';
import { ApiKey, readKey } from '../../src/graders/providers/api-key.ts';
import { localModel } from '../../src/graders/providers/local-model.ts';
import { openAiCompatible } from '../../src/graders/providers/openai-compatible.ts';
import { Runner } from '../../src/graders/runner.ts';
import { encodeChats } from '../../src/tokenizer/index.ts';
import { bundled, openModel } from '../harness/models.ts';
import { type Reaction } from '../harness/chat-server.ts';
import { scriptedRunner } from '../harness/scripted-runner.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

const grader = { name: 'test', version: 1, promptDigest: 'p1' };
const request = {
  messages: [
    { role: 'system' as const, content: 'Be brief.' },
    { role: 'user' as const, content: 'Once' },
  ],
  maxTokens: 12,
  temperature: null,
  verdict: null,
};

describe('a key', () => {
  const file = (text: string, mode = 0o600) => {
    const path = join(temporaryFolder(), 'key');
    writeFileSync(path, text);
    chmodSync(path, mode);
    return { file: path };
  };

  test('comes from a variable or a file of its owner', () => {
    expect(readKey({ variable: 'JUDGE_KEY' }, { JUDGE_KEY: ' sk-12345678\n' }).reveal()).toBe('sk-12345678');
    expect(readKey(file('sk-12345678\n'), {}).reveal()).toBe('sk-12345678');
    expect(readKey(file('sk-12345678', 0o400), {}).reveal()).toBe('sk-12345678');
  });

  test.each([0o640, 0o604, 0o620, 0o644])('in a file of mode %o is not taken', (mode) => {
    const source = file('sk-12345678', mode);
    expect(() => readKey(source, {})).toThrow(
      expect.objectContaining({
        code: 'KEY_EXPOSED',
        message: `the key file ${source.file} may be read or changed by others (mode ${mode.toString(8)}); chmod 600 it`,
      }),
    );
  });

  test.each([
    ['no variable', () => readKey({ variable: 'JUDGE_KEY' }, {}), 'KEY_MISSING'],
    ['an empty one', () => readKey({ variable: 'JUDGE_KEY' }, { JUDGE_KEY: ' ' }), 'KEY_MISSING'],
    ['no file', () => readKey({ file: '/no/such/key' }, {}), 'KEY_MISSING'],
    ['an empty file', () => readKey(file(''), {}), 'KEY_MISSING'],
    ['a folder', () => readKey({ file: temporaryFolder() }, {}), 'KEY_INVALID'],
    ['a long file', () => readKey(file('k'.repeat(5000)), {}), 'KEY_INVALID'],
    ['two lines', () => readKey(file('sk-12345678\nX-Header: 1'), {}), 'KEY_INVALID'],
    ['too short to be found again', () => readKey(file('k'), {}), 'KEY_INVALID'],
  ])('%s', (_, read, code) => expect(read).toThrow(expect.objectContaining({ code })));

  test('does not show', () => {
    const key = new ApiKey('sk-canary/+1');
    expect([String(key), JSON.stringify({ key }), inspect({ key })].join()).not.toContain('canary');
    expect(key.redact('a sk-canary/+1 and sk-canary%2F%2B1')).toBe('a [key] and [key]');
  });
});

describe('the key on its way', () => {
  const canary = 'sk-canary-7f3a9';
  const everywhere = { message: `Incorrect API key provided: ${canary}`, code: canary, param: canary };
  const echoes: [string, Reaction][] = [
    ['in a reply', { text: `I know ${canary}`, model: canary, calls: [{ name: canary, arguments: canary }] }],
    ['in an error', { status: 401, headers: { 'x-echo': canary }, body: { error: everywhere } }],
    ['in a failure', { status: 500, body: { [canary]: canary } }],
    ['in a body that is no JSON', { raw: `{"${canary}`, type: 'application/json' }],
    ['in a reply that is none', { raw: JSON.stringify({ [canary]: 1 }), type: 'application/json' }],
    ['in a redirect', { status: 302, headers: { Location: `http://127.0.0.1/${canary}` } }],
  ];
  test.each(echoes)(
    'a server that gives it back %s: it reaches no store, no error and no log',
    async (_, reaction) => {
      const exchanges = memoryExchanges();
      const written: string[] = [];
      const streams = [process.stdout, process.stderr];
      const writes = streams.map((stream) => stream.write.bind(stream));
      streams.forEach((stream, i) => {
        stream.write = ((chunk: string, ...rest: []) => {
          written.push(String(chunk));
          return writes[i]!(chunk, ...rest);
        }) as typeof stream.write;
      });
      let outcome: unknown;
      try {
        const { runner, server, provider } = await scriptedRunner([reaction], {
          key: new ApiKey(canary),
          exchanges,
        });
        outcome = await runner.ask(grader, () => request).catch((error: unknown) => error);
        expect(server.requests[0]!.headers.authorization).toBe(`Bearer ${canary}`);
        expect(JSON.stringify(server.requests.map(({ body }) => body))).not.toContain(canary);
        expect(inspect(provider, { depth: 9, showHidden: true })).not.toContain(canary);
      } finally {
        streams.forEach((stream, i) => (stream.write = writes[i]!));
      }
      const seen = [
        inspect(outcome, { depth: 20, showHidden: true }),
        outcome instanceof Error ? `${outcome.stack} ${String(outcome.cause)}` : '',
        JSON.stringify(exchanges.all()),
        ...written,
      ];
      for (const text of seen) expect(text).not.toContain(canary);
    },
  );

  test('nothing of the environment goes along', async () => {
    const names = ['OPENAI_API_KEY', 'OPENAI_ADMIN_KEY', 'OPENAI_ORG_ID', 'OPENAI_PROJECT_ID'];
    for (const name of names) vi.stubEnv(name, `${canary}-${name}`);
    onTestFinished(() => void vi.unstubAllEnvs());
    const { runner, server } = await scriptedRunner([{ text: 'x' }], { key: null });
    await runner.ask(grader, () => request);
    expect(JSON.stringify(server.requests[0]!.headers)).not.toContain(canary);
    expect(server.requests[0]!.headers.authorization).toBe('Bearer none');
  });
});

describe('an address', () => {
  const open = (baseUrl: string, loopback?: boolean) =>
    openAiCompatible({ baseUrl, model: 'm', key: null, loopback });

  test('is kept without its last slash', () => {
    expect(open('https://api.example.com/v1/').endpoint).toBe('https://api.example.com/v1');
    expect(open('http://localhost:8080/v1', true).endpoint).toBe('http://localhost:8080/v1');
  });

  test.each([
    ['nonsense', 'is no URL'],
    ['http://api.example.com/v1', 'has the protocol http:'],
    ['file:///etc/passwd', 'has the protocol file:'],
    ['https://user:secret@api.example.com/v1', 'has credentials, a query or a fragment'],
    ['https://api.example.com/v1?key=secret', 'has credentials, a query or a fragment'],
    ['http://127.0.0.1:8080/v1', 'is this machine (127.0.0.1), which was not allowed'],
    ['https://localhost/v1', 'is this machine (localhost), which was not allowed'],
    ['http://[::1]/v1', 'is this machine ([::1]), which was not allowed'],
    ['http://2130706433/v1', 'is this machine (127.0.0.1), which was not allowed'],
  ])('%s is refused, and a secret in it is not repeated', (url, why) => {
    let message = '';
    try {
      open(url);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toContain(why);
    expect(message).not.toContain('secret');
  });

  test('of OpenAI itself takes the longer name for the maximum', () => {
    const body = (url: string) => openAiCompatible({ baseUrl: url, model: 'm', key: null }).body(request);
    expect(body('https://api.openai.com/v1')).toMatchObject({ max_completion_tokens: 12 });
    expect(body('https://api.example.com/v1')).toMatchObject({ max_tokens: 12 });
  });
});

test('an endless reply is cut', async () => {
  const { runner } = await scriptedRunner([{ text: 'x'.repeat(17 * 1024 * 1024) }], {
    retry: { attempts: 1 },
  });
  await expect(runner.ask(grader, () => request)).rejects.toMatchObject({
    code: 'PROVIDER_CUT',
    message: 'the reply broke off: more than 16777216 bytes',
  });
});

describe('a checkpoint in our own engine as the judge', () => {
  test('says greedily what it says in its chat template, and the same again', async () => {
    const model = await openModel(bundled('tiny-qwen3'));
    const provider = localModel(model, { name: 'tiny-qwen3', digest: 'd1' });
    const runner = new Runner({ provider });
    const { exchange } = await runner.ask(grader, () => request);
    const [ids] = await encodeChats(model.folder, model.tokenizer, [
      [{ role: 'user', content: 'Be brief.\n\nOnce' }],
    ]);
    const [expected] = await model.generate([ids!], {
      maxNewTokens: 12,
      temperature: 0,
      repetitionPenalty: 1,
    });
    expect(exchange).toMatchObject({
      provider: 'local',
      endpoint: 'd1',
      model: 'local:tiny-qwen3',
      answeredBy: 'local:tiny-qwen3',
      request: { temperature: 0, max_tokens: 12 },
      reply: {
        raw: { ids: expected!.ids },
        finish: expected!.finish === 'STOP' ? 'stop' : 'length',
        usage: { promptTokens: ids!.length, completionTokens: expected!.ids.length },
      },
    });
    expect(exchange.reply.text).not.toBe('');
    const again = await new Runner({ provider }).ask(grader, () => request);
    expect(again.exchange.reply).toEqual(exchange.reply);
    expect(runner.form).toBe('TEXT');
  });

  test('replies as long as its context allows, and refuses what does not fit', async () => {
    const model = await openModel(bundled('tiny-qwen3'));
    const provider = localModel(model, { name: 'tiny-qwen3', digest: 'd1' });
    const long = (words: number) => ({
      ...request,
      messages: [{ role: 'user' as const, content: 'cake '.repeat(words) }],
      maxTokens: 10_000,
    });
    const { usage, finish } = await provider.chat(long(2030), {});
    expect([
      usage.promptTokens! + usage.completionTokens! <= 2048,
      finish === 'stop' || finish === 'length',
    ]).toEqual([true, true]);
    await expect(provider.chat(long(3000), {})).rejects.toMatchObject({
      code: 'PROVIDER_REFUSED',
      retryable: false,
    });
  });

  test('stops when it is told to', async () => {
    const model = await openModel(bundled('tiny-qwen3'));
    const runner = new Runner({ provider: localModel(model, { name: 'tiny-qwen3', digest: 'd1' }) });
    const controller = new AbortController();
    const asking = runner.ask(grader, () => ({ ...request, maxTokens: 400 }), { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(asking).rejects.toThrow('enough');
  });
});
