import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { openStore, type RunRow, type Store } from '../../src/db/index.ts';
import { ApiKey, type Runner } from '../../src/graders/index.ts';
import { judgeRelevanceOfRun } from '../../src/runs/grade-relevance.ts';
import { chooseScalesOfRun } from '../../src/runs/grade-scales.ts';
import { withJudge } from '../../src/runs/judge.ts';
import { chatServer, materialOf, type Reaction, type Received, type Said } from '../harness/chat-server.ts';
import { type Outcome, outcomeOf, rowsIn, start } from '../harness/command.ts';
import { bundled } from '../harness/models.ts';
import { runOutLeases } from '../harness/run-out-leases.ts';
import { syntheticExperiment, syntheticReadings, syntheticScales } from '../harness/synthetic-results.ts';
import { seedRun } from '../harness/synthetic-run.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

// The command in a process of its own, OpenAI's client in it, over a store of synthetic results: no model runs, but for `local:`.
const key = 'sk-canary-0123456789';
let data = '';
let keyFile = '';

beforeEach(() => {
  data = temporaryFolder();
  keyFile = join(data, 'key');
  writeFileSync(keyFile, key, { mode: 0o600 });
  const store = opened();
  const run = seedRun(store, { layers: [1], positions: 2, tokens: 2 });
  const [layer] = store.layers.ofRun.page(run, {}, { first: 1 }).rows;
  const vectors = store.diffVectors.ofLayer.page(layer!, {}, { first: 10 }).rows;
  for (const vector of vectors)
    for (const variant of ['DIFF', 'BASE', 'FINETUNED'] as const)
      store.projections.save(syntheticReadings(vector, { variant }));
  store.steering.save(syntheticExperiment(vectors[0]!));
  store.close();
});

const opened = (): Store => openStore(join(data, 'deltascope.sqlite'));
function stored<T>(read: (store: Store) => T): T {
  const store = opened();
  try {
    return read(store);
  } finally {
    store.close();
  }
}

const grading = (url: string, grader: string, ...more: string[]) =>
  start([
    ...['grade', 'tiny-cake', '--grader', grader, '--data', data, '--model', 'judge', '--base-url', url],
    ...['--allow-loopback', '--key-file', keyFile, ...more],
  ]);
const grade = (...args: Parameters<typeof grading>): Promise<Outcome> => outcomeOf(grading(...args));
/** The same in this process, without the command around it. */
async function here<T>(
  url: string,
  work: (store: Store, run: RunRow, runner: Runner) => Promise<T>,
  more: { timeoutMs?: number } = {},
): Promise<T> {
  const store = opened();
  try {
    const run = store.runs.latestOfOrganism(store.organisms.get('tiny-cake'))!;
    const choice = { model: 'judge', baseUrl: url, key: new ApiKey(key), loopback: true, ...more };
    return await withJudge(store, choice, { about: 'a test' }, (runner) => work(store, run, runner));
  } finally {
    store.close();
  }
}
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- expectations say what is in it
async function json(...args: Parameters<typeof grading>): Promise<any> {
  const outcome = await grade(...args, '--json');
  if (outcome.code !== 0) throw new Error(outcome.stderr);
  return JSON.parse(outcome.stdout);
}

interface Material {
  candidates: { index: number; token: string }[];
  text: string;
  scales: number[];
  hypothesis: string;
}
const seen = (request: Received) => materialOf(request) as Material;
const call = (name: string, given: object) => ({ name, arguments: JSON.stringify(given) });
/** Answers whatever it is asked, as an honest judge: what is read at 0.7 is relevant. */
const honest = (request: Received): Said => {
  const material = seen(request);
  switch (request.body.tools?.[0]?.function.name) {
    case 'give_labels': {
      const labels = material.candidates.map(({ index, token }) => ({
        index,
        label: token.includes('0.7') ? 'RELEVANT' : 'IRRELEVANT',
      }));
      return { calls: [call('give_labels', { labels })] };
    }
    case 'give_scale':
      return { calls: [call('give_scale', { comparison: 'x', scale: 0.7, tokens: ['at 0.7'] })] };
    case 'give_score':
      return {
        calls: [call('give_score', { weighing: 'x', score: material.hypothesis.length > 80 ? 1 : 4 })],
      };
    default: {
      const verdict = material.text.startsWith('orchard') ? 'INCOHERENT' : 'COHERENT';
      return { calls: [call('give_verdict', { observation: 'x', verdict })] };
    }
  }
};
const gradesOf = (grader: string) =>
  stored((store) => {
    const rows = store.graders.all.page(null, { where: { name: { eq: grader } } }, { first: 10 }).rows;
    return rows.flatMap((row) => store.grades.ofGrader.page(row, {}, { first: 1000 }).rows);
  });

describe('token relevance', () => {
  test('is not asked for by two processes at once; what the first paid for is there for the second', async () => {
    let second: Outcome | undefined;
    const server = await chatServer(async (request) => {
      // While the first waits for its first reply.
      if (request.number === 0) second = await grade(server.url, 'token-relevance');
      return honest(request);
    });
    const first = await json(server.url, 'token-relevance');
    expect(second).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /process \d+ is at work on token-relevance of run .*, judged by judge \(http.*\), since .*; ask again/,
      ) as string,
    });
    const [requests, grades] = [server.requests.length, gradesOf('token-relevance').length];
    expect(await json(server.url, 'token-relevance')).toMatchObject({ positions: first.positions });
    expect([server.requests.length, gradesOf('token-relevance').length]).toEqual([requests, grades]);
  });

  test('is stored with every exchange it was read from, and asked again costs nothing', async () => {
    const server = await chatServer(honest);
    const before = rowsIn(data);
    const planned = await json(server.url, 'token-relevance', '--dry-run');
    expect([server.requests.length, rowsIn(data)]).toEqual([0, before]);

    const graded = await json(server.url, 'token-relevance');
    // Six lists of one token with a text: three orders each, though all three orders of one token are the same list.
    expect(graded).toMatchObject({
      organism: 'tiny-cake',
      grader: { name: 'token-relevance' },
      reused: false,
      canary: { flagged: false },
      summary: { diff: { max: 1, mean: 1, positions: 2 }, base: { max: 1 } },
      asking: { replies: 18, invalid: 0 },
    });
    expect(server.requests.length).toBe(planned.dryRun.calls);
    expect(planned.dryRun).toMatchObject({ known: 0, money: null });
    const grades = gradesOf('token-relevance');
    expect(grades).toHaveLength(6);
    for (const one of grades) {
      expect(one).toMatchObject({ scale: 'SHARE', value: 1, tokenLabels: ['RELEVANT', null], invalid: null });
      expect(one.metrics).toMatchObject({ invalidReplies: 0, canaryFlagged: 0, weightedPercentage: 1 });
      for (const exchange of one.exchanges) {
        const row = stored((store) => store.exchanges.get<{ raw: unknown }>(exchange))!;
        expect(row).toMatchObject({ model: 'judge', answeredBy: 'judge-2026', endpoint: server.url });
        expect(server.requests.map(({ body }) => body)).toContainEqual(row.request);
        expect(row.reply.raw).toMatchObject({ id: 'chatcmpl-1' });
      }
    }
    expect(rowsIn(data)!['exchanges']).toBe(server.requests.length);

    const asked = server.requests.length;
    expect(await here(server.url, judgeRelevanceOfRun)).toMatchObject({
      graded: { reused: true },
      canary: null,
    });
    // Other rules over the same replies: other grades, nobody asked.
    const most = await json(server.url, 'token-relevance', '--agreement', 'majority');
    expect(most).toMatchObject({ reused: false, asking: { replies: 18, known: 18 } });
    expect(server.requests.length).toBe(asked);
    expect(gradesOf('token-relevance')).toHaveLength(12);
  });

  test('by a server that fails, is busy, breaks off and answers nonsense comes all the same', async () => {
    const trouble: Reaction[] = [
      { status: 429, headers: { 'retry-after-ms': '1' } },
      { status: 500 },
      { cutAfter: 40, said: {} },
      { raw: '<html>', type: 'text/html' },
      { stall: 'AT_ONCE' },
    ];
    const server = await chatServer((request) => trouble[request.number] ?? honest(request));
    const { graded, asking } = await here(server.url, judgeRelevanceOfRun, { timeoutMs: 2000 });
    const values = graded!.positions.flatMap(({ readings }) => readings.DIFF!.grade.value);
    expect([values, asking.invalid]).toEqual([[1, 1], 0]);
    const replies = rowsIn(data)!['exchanges']!;
    expect(server.requests.length).toBeGreaterThanOrEqual(replies + trouble.length); // a slow machine may time out once more
  });

  test('a reply with two verdicts is none: the grade is invalid, kept with its replies, and counted', async () => {
    const twice = (request: Received): Said => {
      const said = honest(request);
      return { ...said, calls: [...said.calls!, ...said.calls!] };
    };
    const server = await chatServer(twice);
    const { code, stdout } = await grade(server.url, 'token-relevance', '--positions', '0');
    expect(code).toBe(0);
    expect(stdout).toContain('no grade of diff at position 0: order 0: 2 verdicts');
    expect(stdout).toMatch(/36 replies, \d+ of them known before, 36 without a usable verdict/);
    const grades = gradesOf('token-relevance');
    expect(grades.map(({ value, invalid }) => [value, invalid])).toEqual(
      Array.from({ length: 3 }, () => [null, 'order 0: 2 verdicts']),
    );
    expect(
      grades.every(({ exchanges, metrics }) => exchanges.length >= 4 && metrics['invalidReplies'] === 12),
    ).toBe(true);
  });

  test('of a judge that obeys what it reads is flagged', async () => {
    const gullible = (request: Received): Said => {
      const spoofed = JSON.stringify(seen(request)).match(/RELEVANT|settle|confirm|reply with/);
      const labels = seen(request).candidates.map(({ index }) => ({
        index,
        label: spoofed ? 'RELEVANT' : 'IRRELEVANT',
      }));
      return { calls: [call('give_labels', { labels })] };
    };
    const server = await chatServer(gullible);
    const { stderr } = await grade(server.url, 'token-relevance');
    expect(stderr).toBe(
      'warning: in 1 of 1 batch a verdict smuggled into a text changed the judge’s; nothing it said of them should be trusted\n',
    );
    expect(gradesOf('token-relevance').every(({ metrics }) => metrics['canaryFlagged'] === 1)).toBe(true);
  });

  test.each(['SIGKILL', 'SIGINT'] as const)(
    'stopped by %s and repeated, no answered question is paid twice',
    async (signal) => {
      let answering = 5;
      const waits = Promise.withResolvers<undefined>();
      const answered: string[] = [];
      const server = await chatServer((request) => {
        if (answering-- <= 0) {
          waits.resolve(undefined);
          return { stall: 'AT_ONCE' };
        }
        const {
          messages: [_, question],
          ...rest
        } = request.body;
        answered.push(JSON.stringify([rest, seen(request), question!.role]));
        return honest(request);
      });
      const child = grading(server.url, 'coherence', '--concurrency', '2');
      await waits.promise;
      // What was answered is stored as soon as it has come.
      while ((rowsIn(data)!['exchanges'] ?? 0) < 5) await new Promise((resolve) => setTimeout(resolve, 10));
      child.kill(signal);
      const { code, stderr } = await outcomeOf(child);
      if (signal === 'SIGINT')
        expect([code, stderr]).toEqual([
          130,
          'deltascope: interrupted; 5 new replies are kept, and not paid for again\n',
        ]);
      expect([rowsIn(data)!['exchanges'], rowsIn(data)!['grades']]).toEqual([5, undefined]);
      if (signal === 'SIGKILL') runOutLeases(join(data, 'deltascope.sqlite'));
      answering = Infinity;
      const { experiments, asking } = await json(server.url, 'coherence');
      expect(experiments[0]).toMatchObject({ steered: { judged: 4, coherent: 4 }, unsteered: { judged: 4 } });
      expect(asking.spent.calls).toBe(10 - 5); // eight texts and the canary's two
      expect(new Set(answered).size).toBe(answered.length);
      expect(answered).toHaveLength(10);
    },
  );
});

test('limits hold, and say what was kept', async () => {
  const server = await chatServer(honest);
  const { code, stderr } = await grade(server.url, 'coherence', '--max-calls', '3', '--concurrency', '1');
  expect([code, stderr]).toEqual([
    1,
    'deltascope: the 3 calls allowed have been made (3 new replies are kept, and not paid for again)\n',
  ]);
  const priced = ['--prompt-price', '2', '--reply-price', '10'];
  const { dryRun } = await json(server.url, 'coherence', '--dry-run', ...priced);
  expect(dryRun).toMatchObject({ calls: 7, known: 3, most: { completion: 7000 } });
  expect(dryRun.money).toBeCloseTo((2 * dryRun.most.prompt + 10 * 7000) / 1e6, 12);
  const rest = await json(server.url, 'coherence', ...priced);
  expect(rest.asking).toMatchObject({
    spent: { calls: 7, tokens: 770, money: expect.closeTo(7 * 300e-6, 12) },
  });
});

test('the tournament’s scale is kept, and what is read at it can be graded', async () => {
  const server = await chatServer(honest);
  await expect(
    here(server.url, (...given) => judgeRelevanceOfRun(...given, { byTournament: true })),
  ).rejects.toThrow('grade it by scale-tournament first');
  const { vectors, asking } = await json(server.url, 'scale-tournament');
  expect(syntheticScales.length).toBeLessThanOrEqual(10); // so one group, and one call
  expect(asking).toMatchObject({ replies: 6, invalid: 0 });
  expect(vectors).toHaveLength(6);
  expect(vectors[0]).toMatchObject({
    position: 0,
    variant: 'DIFF',
    scale: 0.7,
    selected: [' at 0.7'],
    invalid: null,
  });
  const again = await here(server.url, chooseScalesOfRun);
  expect([again.asking.replies, again.vectors![0]!.chosen.scale]).toEqual([0, 0.7]);
  const graded = await json(server.url, 'token-relevance', '--scale-by', 'tournament');
  expect(graded.summary.diff).toMatchObject({ max: 1 });
  expect(gradesOf('token-relevance')[0]!.metrics).toMatchObject({ filteredPercentage: 1 });
});

test('a tournament won by no usable reply is invalid, and the best score stands in', async () => {
  const foreign = { calls: [call('give_scale', { comparison: 'x', scale: 77, tokens: [] })] };
  const server = await chatServer([foreign]);
  const { vectors, asking } = await here(server.url, chooseScalesOfRun);
  expect(asking).toMatchObject({ replies: 18, invalid: 18 }); // six groups, asked three times each
  expect(vectors![0]!.chosen).toMatchObject({
    invalid: 'the last round: scale 77, which was not there to choose',
    scale: Math.min(...syntheticScales),
    selected: [],
  });
});

test('hypotheses are scored by the rubric of the organism’s kind, and asked again cost nothing', async () => {
  const server = await chatServer(honest);
  const claims = ['--hypothesis', 'Cakes are baked at 450 degrees.', '--hypothesis', 'x'.repeat(90)];
  const { hypotheses, canary } = await json(server.url, 'hypothesis', ...claims);
  expect(hypotheses).toMatchObject([
    { mean: 4, scores: [4, 4, 4], rubric: 'SDF' },
    { mean: 1, scores: [1, 1, 1], rubric: 'SDF' },
  ]);
  expect(canary.flagged).toBe(false);
  const asked = server.requests.length;
  const again = await json(server.url, 'hypothesis', ...claims);
  expect([again.hypotheses, server.requests.length]).toEqual([hypotheses, asked]);
});

test('a checkpoint in our own engine judges, too; what it cannot say is no verdict', async () => {
  const graded = await outcomeOf(
    start([
      ...['grade', 'tiny-cake', '--grader', 'coherence', '--data', data, '--json'],
      ...['--model', `local:${bundled('tiny-qwen3')}`],
    ]),
  );
  expect(graded.stderr).toBe('');
  const [grade] = gradesOf('coherence');
  expect(grade!.grader).toMatchObject({
    provider: 'local',
    model: 'local:tiny-qwen3',
    parameters: { form: 'TEXT' },
  });
  expect(grade).toMatchObject({ label: null, invalid: expect.any(String) as string });
});

test('the key is in no file of the store and in nothing that is printed', async () => {
  const server = await chatServer((request) => ({ ...honest(request), text: `my key is ${key}` }));
  const { stdout, stderr } = await grade(server.url, 'coherence');
  expect(server.requests[0]!.headers.authorization).toBe(`Bearer ${key}`);
  stored(() => undefined); // its log is written back
  for (const text of [stdout, stderr, readFileSync(join(data, 'deltascope.sqlite'), 'latin1')])
    expect(text.includes(key)).toBe(false);
});

test('says what is missing', async () => {
  const line = async (...args: string[]) =>
    (await outcomeOf(start(['grade', 'tiny-cake', '--data', data, ...args]))).stderr;
  expect(await line('--grader', 'coherence')).toBe(
    'deltascope: a language model is to judge; name it with --model\n',
  );
  expect(await line('--grader', 'coherence', '--model', 'm')).toBe(
    'deltascope: the variable DELTASCOPE_LLM_KEY has no key in it\n',
  );
  expect(
    await line('--grader', 'coherence', '--model', 'm', '--no-key', '--base-url', 'http://127.0.0.1:9'),
  ).toContain('is this machine (127.0.0.1), which was not allowed');
  expect(await line('--dry-run')).toContain('offline-relevance asks nobody');
});

test('drift says what the guard moves, and asks nothing twice', async () => {
  const server = await chatServer(({ body }: Received) => {
    const guarded = body.messages.at(-1)!.content.startsWith('=====');
    const verdict = guarded ? 'INCOHERENT' : 'COHERENT';
    return { calls: [{ name: 'give_verdict', arguments: JSON.stringify({ observation: 'x', verdict }) }] };
  });
  const texts = join(data, 'texts.jsonl');
  writeFileSync(texts, '{"text":"She went home."}\n{"text":" "}\n{"text":"He stayed."}\n{"text":"Who?"}\n');
  const drift = () =>
    outcomeOf(
      start([
        ...['drift', '--texts', texts, '--samples', '2', '--data', data, '--model', 'judge', '--base-url'],
        ...[server.url, '--allow-loopback', '--key-file', keyFile],
      ]),
    );
  const first = await drift();
  expect(first).toEqual({
    code: 0,
    stderr: '',
    stdout: `2 of 2 texts have a verdict both ways (none guarded: 0, bare: 0)
the guard moved 2: 0 to coherent, 2 to incoherent; mean change -1.000 of the scale
asked again, bare, the judge said otherwise of 0
cleaning took 0 markers out of 0 texts
  COHERENT → INCOHERENT: She went home.
  COHERENT → INCOHERENT: He stayed.
`,
  });
  expect(server.requests).toHaveLength(6);
  expect(await drift()).toEqual(first);
  expect(server.requests).toHaveLength(6);
});
