import { graphql } from 'graphql';
import { describe, expect, it } from 'vitest';
import { graphContext, schema } from '../../schema/index.ts';
import {
  agentRunLease,
  type AgentRunSpec,
  anonymous,
  type GraderRow,
  type OrganismRow,
  type RunRow,
  type Store,
  type Stores,
} from '../../src/db/index.ts';
import type { JsonObject } from '../../src/lib/canonical-json.ts';
import { ask } from '../harness/ask.ts';
import { seedAgentRun, syntheticAgentSpec } from '../harness/synthetic-agent.ts';
import { syntheticGrade, syntheticGrader, syntheticJudge } from '../harness/synthetic-grades.ts';
import { seedOrganism, seedRun } from '../harness/synthetic-run.ts';
import { serve } from '../harness/serve.ts';
import { temporaryStore } from '../harness/temporary-store.ts';
import { setTimeout as sleep } from 'node:timers/promises';

function prepared() {
  const store = temporaryStore();
  const run = seedRun(store);
  const organism = store.organisms.getById(run.organismId);
  return { store, run, organism, ...seedAgentRun(store, organism, run) };
}

it('an agent run leads to its organism, its run, its transcript, its board and its answer, and back', async () => {
  const { store, run, organism, agentRun } = prepared();
  const { organism: found } = await ask(
    store,
    `{ organism(name: "${organism.name}") { agentRuns(first: 1, kinds: [AGENT]) { totalCount edges { node {
      key kind pair state conclusive calls promptTokens replyTokens model error { code } organism { name } run { key }
      answer { text confidence status agentRun { key } }
      hypotheses(first: 5, statuses: [ACTIVE]) { totalCount edges { node { key number text revisions } } }
      messages(first: 5, roles: [ASSISTANT]) { edges { node { key number calls { name arguments } replyTokens agentRun { key } } } }
    } } } } }`,
  );
  expect(found.agentRuns).toEqual({
    totalCount: 1,
    edges: [
      {
        node: {
          ...{ key: agentRun.key, kind: 'AGENT', pair: 'ORGANISM', state: 'COMPLETED', conclusive: true },
          ...{ calls: 1, promptTokens: 100, replyTokens: 10, model: 'm', error: null },
          ...{ organism: { name: organism.name }, run: { key: run.key } },
          answer: {
            text: 'False facts: cakes',
            confidence: 0.75,
            status: 'FINAL',
            agentRun: { key: agentRun.key },
          },
          hypotheses: {
            totalCount: 1,
            edges: [{ node: { key: `${agentRun.key}.H1`, number: 1, text: 'About cakes', revisions: 0 } }],
          },
          messages: {
            edges: [
              {
                node: {
                  ...{
                    key: `${agentRun.key}.M1`,
                    number: 1,
                    replyTokens: 10,
                    agentRun: { key: agentRun.key },
                  },
                  calls: [{ name: 'track_hypothesis', arguments: '{"text":"cakes"}' }],
                },
              },
            ],
          },
        },
      },
    ],
  });
});

it('a grade of an answer leads to it, and the answer to its grades', async () => {
  const { store, answer } = prepared();
  const grader = store.graders.add(syntheticGrader({ name: 'hypothesis' }));
  store.grades.save([
    {
      ...syntheticGrade(undefined as never, grader),
      subject: { hypothesis: answer },
      scale: 'SCORE',
      value: 4,
      tokenLabels: null,
    },
  ]);
  const id = Buffer.from(`Hypothesis:${answer.key}`).toString('base64');
  const { node, grades } = await ask(
    store,
    `{ node(id: "${id}") { ... on Hypothesis { grades(first: 5, grader: "hypothesis") { totalCount edges { node { value scale } } } } }
       grades(first: 5) { edges { node { value subject { ... on Hypothesis { key } } organism { name } } } } }`,
  );
  expect(node.grades).toEqual({ totalCount: 1, edges: [{ node: { value: 4, scale: 'SCORE' } }] });
  expect(grades.edges).toEqual([
    { node: { value: 4, subject: { key: answer.key }, organism: { name: 'tiny-cake' } } },
  ]);
});

it('transcripts and boards are read by pages in either direction', async () => {
  const { store, agentRun } = prepared();
  for (const [list, expected] of [
    ['messages', [0, 1, 2]],
    ['hypotheses', [1, 2]],
  ] as const) {
    const page = async (paging: string) => {
      const answer = await ask(
        store,
        `{ agentRun(key: "${agentRun.key}") { ${list}(${paging}) { edges { cursor node { number } } pageInfo { hasNextPage hasPreviousPage } } } }`,
      );
      return answer['agentRun'][list] as {
        edges: { cursor: string; node: { number: number } }[];
        pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean };
      };
    };
    const numbers: number[] = [];
    for (let after = ''; ;) {
      const { edges, pageInfo } = await page(`first: 1${after}`);
      numbers.push(...edges.map(({ node }) => node.number));
      if (!pageInfo.hasNextPage) break;
      after = `, after: "${edges[0]!.cursor}"`;
    }
    expect(numbers).toEqual(expected);
    const last = await page('last: 1');
    expect([last.edges[0]!.node.number, last.pageInfo.hasPreviousPage]).toEqual([expected.at(-1), true]);
  }
});

it('a subscription tells the messages of a running agent as they come, from where it is asked to', async () => {
  const store = temporaryStore();
  const { organism } = seedOrganism(store);
  const run = store.agentRuns.begin(syntheticAgentSpec(organism, null));
  store.leases.take(agentRunLease(run), 'process 1');
  store.agentMessages.append(run, 0, { role: 'SYSTEM', content: 'zero' });
  store.agentMessages.append(run, 1, { role: 'USER', content: 'one' });
  const server = await serve(store);
  const id = Buffer.from(`AgentRun:${run.key}`).toString('base64');
  const response = await server.get('/graphql', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
    body: JSON.stringify({
      query: `subscription { agentRunProgress(id: "${id}", after: 0) { number content } }`,
    }),
  });
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString();
    if (text.includes('one') && !text.includes('two')) {
      store.agentMessages.append(run, 2, { role: 'ASSISTANT', content: 'two' });
      store.agentRuns.end(run, 'STOPPED', { error: { code: 'PROVIDER_BUSY', message: 'later' } });
      await sleep(0);
    }
  }
  expect([...text.matchAll(/"number":(\d)/g)].map(([, number]) => number)).toEqual(['1', '2']);
  expect(text).toContain('event: complete');
});

it('a subscription ends where the process that was at work died, though nobody wrote that down', async () => {
  const store = temporaryStore();
  const { organism } = seedOrganism(store);
  const run = store.agentRuns.begin(syntheticAgentSpec(organism, null));
  store.agentMessages.append(run, 0, { role: 'SYSTEM', content: 'zero' });
  store.leases.take(agentRunLease(run), 'process 1', -1);
  const server = await serve(store);
  const response = await server.get('/graphql', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
    body: JSON.stringify({
      query: `subscription { agentRunProgress(id: "${Buffer.from(`AgentRun:${run.key}`).toString('base64')}") { content agentRun { state } } }`,
    }),
  });
  const text = await response.text();
  expect(text).toContain('"content":"zero"');
  expect(text).toContain('"state":"RUNNING"');
  expect(text).toContain('event: complete');
});

it('why an agent run was broken off is told in full to whoever runs the store, to others by its code alone', async () => {
  const store = temporaryStore();
  const { organism } = seedOrganism(store);
  store.administration.share('organism', organism, { visibility: 'PUBLIC' });
  const told = async (code: string, of: Stores) => {
    const begun = store.agentRuns.begin(
      syntheticAgentSpec(organism, null, { parameters: { budget: { calls: 1, code } } }),
    );
    const message = `https://llm.internal.example/v1: /models/tiny-base: no such file (${code})`;
    store.agentRuns.end(begun, 'STOPPED', { error: { code, message } });
    const { agentRun } = await ask(of, `{ agentRun(key: "${begun.key}") { error { code message } } }`);
    return agentRun.error as unknown;
  };
  for (const [code, sentence] of [
    ['PROVIDER_FAILED', 'The provider of its language model gave no reply.'],
    ['MODEL_CHANGED', 'Files of its models are others now than those that were measured.'],
    ['NO_ANSWER', 'It did not answer in its last turn.'],
    ['INTERNAL', 'It was broken off; whoever runs it can see why.'],
  ] as const) {
    expect(await told(code, store.as(anonymous))).toEqual({ code, message: sentence });
    expect(await told(code, store)).toEqual({
      code,
      message: `https://llm.internal.example/v1: /models/tiny-base: no such file (${code})`,
    });
  }
});

it('an organism that agents tried to find out is not taken out of the store', async () => {
  const store = temporaryStore();
  const { organism } = seedOrganism(store);
  seedAgentRun(store, organism, null);
  const { organismDelete } = await ask(
    store,
    `mutation { organismDelete(input: { name: "${organism.name}" }) { userErrors { code } } }`,
  );
  expect(organismDelete.userErrors).toEqual([{ code: 'CONFLICT' }]);
});

describe('scores of agents', () => {
  /** Agents' answers with these scores, null for one that failed. */
  function attempts(
    store: Store,
    organism: OrganismRow,
    run: RunRow | null,
    change: Partial<AgentRunSpec> & { parameters: JsonObject },
    scores: (number | null)[],
    grader?: GraderRow,
  ) {
    for (const [repeat, value] of scores.entries()) {
      const parameters = { ...change.parameters, repeat };
      const begun = store.agentRuns.begin(syntheticAgentSpec(organism, run, { ...change, parameters }));
      if (value === null) {
        store.agentRuns.end(begun, 'FAILED', { error: { code: 'NO_ANSWER', message: 'none' } });
        continue;
      }
      const said = { text: 'cakes', confidence: 1, reason: '' };
      const hypothesis = store.hypotheses.add(begun, said, 'FINAL');
      store.agentRuns.end(begun, 'COMPLETED', { conclusive: value > 0 });
      const graded = { subject: { hypothesis }, scale: 'SCORE', tokenLabels: null } as const;
      // The last grade counts.
      if (grader)
        store.grades.save(
          [1, value].map((score, i) =>
            syntheticGrade(undefined as never, grader, { ...graded, value: score, parameters: { i } }),
          ),
        );
    }
  }
  const budget = (interactions: number) => ({ budget: { calls: 16, tokens: 1000, interactions } });

  function seeded() {
    const store = temporaryStore();
    const grader = store.graders.add(syntheticJudge('hypothesis'));
    const organisms = ['a', 'b'].map((name) => {
      // An older run, whose agents do not count.
      const older = seedRun(store, { organism: name, seed: 1 });
      const run = seedRun(store, { organism: name, seed: 2 });
      const [newer, last] = [older, run].sort((x, y) =>
        x.createdAt + x.key < y.createdAt + y.key ? -1 : 1,
      ) as [RunRow, RunRow];
      return { organism: store.organisms.getById(run.organismId), older: newer, run: last };
    });
    const [a, b] = organisms as [(typeof organisms)[number], (typeof organisms)[number]];
    attempts(store, a.organism, a.run, { parameters: budget(5) }, [2, 4, null], grader);
    attempts(store, b.organism, b.run, { parameters: budget(5) }, [5], grader);
    attempts(store, a.organism, a.run, { parameters: budget(0) }, [1], grader);
    attempts(store, a.organism, a.older, { parameters: budget(0) }, [5], grader);
    attempts(store, a.organism, null, { kind: 'BLACK_BOX', parameters: budget(5) }, [2], grader);
    attempts(store, a.organism, a.run, { pair: 'NULL', parameters: budget(5) }, [0, 1]);
    attempts(store, a.organism, a.run, { version: 2, parameters: budget(5) }, [3], grader);
    return { store, grader };
  }
  type Over = { mean: number } | null;
  interface Row {
    kind: string | null;
    baseModel: { name: string } | null;
    setting: { kind: string; pair: string; version: number; budget: { interactions: number } };
    attempts: number;
    answered: number;
    count: number;
    mean: Over;
    max: Over;
    claims: Over;
  }
  const read = async (store: Store, args: string) =>
    (
      await ask(
        store,
        `{ agentScoreTable${args} { kind baseModel { name } setting { kind pair version model depth budget { interactions seconds } }
          attempts answered count mean { mean deviation interval { low high } } max { mean } claims { mean } members { organism { name } count mean max } } }`,
      )
    )['agentScoreTable'] as Row[];

  it('go into a table by agent and budget, of each organism its attempts first', async () => {
    const { store, grader } = seeded();
    const table = await read(store, '(grader: "hypothesis")');
    expect(
      table.map(
        ({ setting: { kind, pair, version, budget: limits }, attempts: n, answered, count, ...over }) => [
          ...[kind, pair, version, limits.interactions, n, answered, count],
          ...[over.mean, over.max, over.claims].map((one) => one && one.mean),
        ],
      ),
    ).toEqual([
      ['AGENT', 'ORGANISM', 1, 0, 1, 1, 1, 1, 1, 1],
      ['AGENT', 'ORGANISM', 1, 5, 4, 3, 2, 4, 4.5, 1],
      ['AGENT', 'ORGANISM', 2, 5, 1, 1, 1, 3, 3, 1],
      ['BLACK_BOX', 'ORGANISM', 1, 5, 1, 1, 1, 2, 2, 1],
      ['AGENT', 'NULL', 1, 5, 2, 2, 0, null, null, 0.5],
    ]);
    expect(table[1]).toMatchObject({
      mean: { mean: 4, deviation: Math.SQRT2, interval: { low: 3, high: 5 } },
      members: [
        { organism: { name: 'a' }, count: 2, mean: 3, max: 4 },
        { organism: { name: 'b' }, count: 1, mean: 5, max: 5 },
      ],
    });
    expect(await read(store, `(grader: "${grader.key}", where: { name: { eq: "b" } })`)).toMatchObject([
      { attempts: 1, count: 1 },
    ]);
    expect(await read(store, '')).toMatchObject([
      { count: 0, mean: null, claims: { mean: 1 } },
      {},
      {},
      {},
      {},
    ]);
    expect(await read(store, '(grader: "nobody")')).toBeNull();
  });

  it('are grouped by kind and base besides', async () => {
    const { store } = seeded();
    const grouped = await read(store, '(grader: "hypothesis", groupBy: [KIND, BASE])');
    expect(new Set(grouped.map(({ kind, baseModel }) => JSON.stringify([kind, baseModel])))).toEqual(
      new Set(['["SDF",{"name":"tiny-base"}]']),
    );
    expect(grouped).toHaveLength(5);
  });

  it('are refused where they would read more than a request may', async () => {
    const { store } = seeded();
    const source = '{ agentScoreTable(grader: "hypothesis") { count } }';
    const under = async (costLimit: number) => {
      const contextValue = graphContext(store, '', { costLimit });
      return (await graphql({ schema, source, contextValue })).errors?.[0]?.extensions['code'];
    };
    expect(await under(9)).toBeUndefined();
    expect(await under(8)).toBe('COST_LIMIT_EXCEEDED');
  });
});
