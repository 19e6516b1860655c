import { expect, it } from 'vitest';
import { ask } from '../harness/ask.ts';
import { seedAgentRun, syntheticAgentSpec } from '../harness/synthetic-agent.ts';
import { syntheticGrade, syntheticGrader } from '../harness/synthetic-grades.ts';
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
