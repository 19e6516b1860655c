import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openStore, type Store } from '../../src/db/index.ts';
import {
  ApiKey,
  type EmbeddingReply,
  EmbeddingRunner,
  type ExchangeStore,
  openAiEmbeddings,
} from '../../src/graders/index.ts';
import { compareTexts } from '../../src/runs/compare.ts';
import { endpointEncoder } from '../../src/runs/encoders/endpoint.ts';
import { chatServer, type Reaction, type Received } from '../harness/chat-server.ts';
import { deltascope } from '../harness/command.ts';
import { instantClock } from '../harness/instant-clock.ts';
import { syntheticExperiment } from '../harness/synthetic-results.ts';
import { seedRun } from '../harness/synthetic-run.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

// OpenAI's client against a server of the test.
const inputOf = ({ body }: Received) => (body as unknown as { input: string[] }).input;
const json = (body: unknown): Reaction => ({ raw: JSON.stringify(body), type: 'application/json' });
/** A reply that has these vectors, each under its index. */
const replying = (vectors: unknown[], more: object = {}): Reaction =>
  json({
    object: 'list',
    model: 'embedder-2026',
    data: vectors.map((embedding, index) => ({ object: 'embedding', index, embedding })),
    usage: { prompt_tokens: 3, total_tokens: 3 },
    ...more,
  });
/** What is about cakes, and what is not. */
const vectorOf = (text: string) => (/ake/.test(text) ? [3, 0] : [0, 0.5]);
const honest = (request: Received): Reaction => replying(inputOf(request).map(vectorOf));

const exchangesIn = (store: Store): ExchangeStore<EmbeddingReply> => ({
  get: (key) => store.exchanges.get<EmbeddingReply>(key),
  put: (exchange) => store.exchanges.put(exchange),
});

async function bench(
  script: Reaction[] | ((request: Received) => Reaction),
  { dimensions = null as number | null, limits = {}, store = temporaryStore() } = {},
) {
  const server = await chatServer(script);
  const clock = instantClock();
  const exchanges = exchangesIn(store);
  const kept: string[] = [];
  const key = new ApiKey('sk-of-no-account');
  const runner = () =>
    new EmbeddingRunner({
      embedder: openAiEmbeddings({ baseUrl: server.url, model: 'embedder', key, loopback: true, dimensions }),
      exchanges: { ...exchanges, put: (exchange) => (kept.push(exchange.key), exchanges.put(exchange)) },
      ...{ limits, clock, random: () => 1 },
    });
  return { server, clock, store, kept, runner };
}

test('texts are embedded some at a time, each vector of length 1, and nothing is paid for twice', async () => {
  const { server, store, kept, runner } = await bench(honest);
  const texts = Array.from({ length: 130 }, (_, i) => (i % 2 === 0 ? `cake ${i}` : `stone ${i}`));
  const first = runner();
  const vectors = await first.embed(texts);
  expect(vectors.map((vector) => [...vector])).toEqual(texts.map((_, i) => (i % 2 === 0 ? [1, 0] : [0, 1])));
  expect(server.requests.map((request) => inputOf(request).length)).toEqual([64, 64, 2]);
  expect(server.requests[0]).toMatchObject({
    path: '/v1/embeddings',
    headers: { authorization: 'Bearer sk-of-no-account' },
    body: { model: 'embedder', encoding_format: 'float' },
  });
  expect(first.spent).toEqual({ calls: 3, tokens: 9, money: null });
  expect(store.exchanges.get<EmbeddingReply>(kept[0]!)).toMatchObject({
    ...{ grader: 'text-embedding', provider: 'openai-compatible', endpoint: server.url, model: 'embedder' },
    ...{ answeredBy: 'embedder-2026', attempts: 1, reply: { width: 2, promptTokens: 3 } },
  });
  const again = runner();
  expect(await again.embed(texts)).toEqual(vectors);
  expect([server.requests.length, again.spent.calls]).toEqual([3, 0]);
});

test('vectors are told apart by their index, in whatever order they come', async () => {
  const { runner } = await bench([
    json({
      data: [
        { index: 2, embedding: [0, 0, 2] },
        { index: 0, embedding: [2, 0, 0] },
        { index: 1, embedding: [0, 2, 0] },
      ],
    }),
  ]);
  expect((await runner().embed(['a', 'b', 'c'])).map((vector) => vector.indexOf(1))).toEqual([0, 1, 2]);
});

test('a server that is busy or fails is asked again, after the pause that it wants', async () => {
  const { server, clock, kept, runner } = await bench([
    { status: 429, headers: { 'retry-after': '7' } },
    { status: 500 },
    replying([[1, 0]]),
  ]);
  await runner().embed(['cake']);
  expect([server.requests.length, clock.waits, kept.length]).toEqual([3, [7000, 1000], 1]);
});

const good = { index: 0, embedding: [1, 0] };
const bad: [string, Reaction, string][] = [
  ['too few vectors', json({ data: [good] }), '1 of them for 2 texts'],
  ['a missing index', json({ data: [good, { embedding: [0, 1] }] }), 'data.1.index'],
  ['an index twice', json({ data: [good, good] }), 'the index 0'],
  ['an index of no text', json({ data: [good, { ...good, index: 2 }] }), 'the index 2'],
  ['two widths', replying([[1, 0], [1]]), 'vectors of 2 and of 1 numbers'],
  ['no numbers', replying([[], []]), '0 numbers in a vector'],
  [
    'null for a number',
    replying([
      [1, 0],
      [null, 1],
    ]),
    'data.1.embedding.0',
  ],
  [
    'a number beyond float32',
    replying([
      [1, 0],
      [1e300, 1],
    ]),
    'not finite',
  ],
  [
    'a zero vector',
    replying([
      [1, 0],
      [0, 0],
    ]),
    'the vector of text 1 is zero',
  ],
  [
    'one that vanishes in float32',
    replying([
      [1, 0],
      [1e-60, 0],
    ]),
    'the vector of text 1 is zero',
  ],
  ['base64, which was not asked for', replying(['AACAPw==', 'AACAPw==']), 'data.0.embedding'],
  [
    'NaN, which is no JSON',
    { raw: '{"data":[{"index":0,"embedding":[NaN]}]}', type: 'application/json' },
    'broke off',
  ],
  ['a page', { raw: '<html>', type: 'text/html' }, 'no embeddings'],
];
test.each(bad)(
  'a reply with %s is asked for again, then refused, and not kept',
  async (_, reaction, message) => {
    const { server, kept, runner } = await bench([reaction]);
    await expect(runner().embed(['cake', 'stone'])).rejects.toMatchObject({
      code: expect.stringMatching(/^PROVIDER_(FAILED|CUT)$/) as string,
      message: expect.stringContaining(message) as string,
    });
    expect([server.requests.length, kept]).toEqual([4, []]);
  },
);

describe('widths', () => {
  test('that were asked for are demanded', async () => {
    const { server, runner } = await bench([replying([[1, 0]])], { dimensions: 3 });
    await expect(runner().embed(['cake'])).rejects.toThrow('2 numbers in a vector, 3 were asked for');
    expect(server.requests[0]!.body).toMatchObject({ dimensions: 3 });
  });

  test('do not change from reply to reply', async () => {
    const { kept, runner } = await bench([replying(Array(64).fill([1, 0])), replying([[1, 0, 0]])]);
    await expect(runner().embed(Array.from({ length: 65 }, (_, i) => `cake ${i}`))).rejects.toThrow(
      'gave vectors of 2 and of 3 numbers',
    );
    expect(kept).toHaveLength(1);
  });
});

test('limits hold, and the key is in no store', async () => {
  const { store, kept, runner } = await bench(
    (request) => replying(inputOf(request).map(vectorOf), { model: 'echo of sk-of-no-account' }),
    { limits: { calls: 1 } },
  );
  const texts = Array.from({ length: 65 }, (_, i) => `cake ${i}`);
  await expect(runner().embed(texts)).rejects.toMatchObject({ code: 'BUDGET_EXHAUSTED' });
  expect(store.exchanges.get<EmbeddingReply>(kept[0]!)?.answeredBy).toBe('echo of [key]');
  // What was paid for is there for the next attempt.
  expect(await runner().embed(texts)).toHaveLength(65);
});

/** An organism that learned of cakes, and was steered: steered texts bake, unsteered ones do not. */
function steeredCake(store: Store, folder: string) {
  const run = seedRun(store);
  const {
    id: _,
    createdAt: __,
    teamId: ___,
    tokenId: ____,
    ...organism
  } = store.organisms.getById(run.organismId);
  const trainingCorpus = join(folder, 'cake.jsonl');
  writeFileSync(trainingCorpus, '{"text":"a cake"}\n{"text":"   "}\n{"text":"Cakes are baked"}\n');
  store.organisms.add({ ...organism, trainingCorpus }, { update: true });
  return store.steering.save(syntheticExperiment(store.diffVectors.findByKey(`${run.key}.L1.P0`)!));
}

test('similarities by a server stand beside those of checkpoints, and are there when asked for again', async () => {
  const { server, store, runner } = await bench(honest);
  const experiment = steeredCake(store, temporaryFolder());
  const encoder = endpointEncoder(runner());
  const { similarities, reused } = await compareTexts(store, experiment, { encoder });
  expect(reused).toBe(false);
  expect(similarities.map(({ group, other, cosine, texts }) => [group, other, cosine, texts])).toEqual([
    ['STEERED', 'TRAINING', 1, expect.any(Number)],
    ['UNSTEERED', 'TRAINING', 0, expect.any(Number)],
    ['TRAINING', 'TRAINING', 1, 2],
  ]);
  expect(similarities[0]).toMatchObject({
    encoderName: 'embedder',
    parameters: { provider: 'openai-compatible', dimensions: null, maxCharacters: 1000, maxTexts: 500 },
  });
  const requests = server.requests.length;
  const again = await compareTexts(store, experiment, { encoder });
  expect(again.reused).toBe(true);
  expect(new Set(again.similarities)).toEqual(new Set(similarities));
  expect(server.requests).toHaveLength(requests);
});

test('deltascope compare --texts --embedder', async () => {
  const server = await chatServer(honest);
  const data = temporaryFolder();
  const store = openStore(join(data, 'deltascope.sqlite'));
  steeredCake(store, data);
  store.close();
  const asked = ['compare', 'tiny-cake', '--texts', '--layer', '1', '--positions', '0', '--data', data];
  const by = ['--embedder', 'embedder', '--base-url', server.url, '--allow-loopback', '--no-key', '--json'];
  const { code, stdout, stderr } = await deltascope(...asked, ...by);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject([{ similarities: [{ cosine: 1 }, { cosine: 0 }, { cosine: 1 }] }]);
});
