import { parse, visit, type FieldNode } from 'graphql';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { gradeOffline } from '../../src/agent/index.ts';
import { schema } from '../../schema/index.ts';
import { startJob } from '../../src/jobs/index.ts';
import { registeredRoots } from '../../src/runs/roots.ts';
import type { Answer } from '../harness/ask.ts';
import { noRoots } from '../harness/jobs.ts';
import { serve } from '../harness/serve.ts';
import { seedAgentRun } from '../harness/synthetic-agent.ts';
import { seedGrades } from '../harness/synthetic-grades.ts';
import { seedResults, syntheticReadings } from '../harness/synthetic-results.ts';
import { seedOrganism, seedRun } from '../harness/synthetic-run.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const folder = new URL('../../schema/examples/', import.meta.url);
const kinds = ['query', 'mutation', 'subscription'] as const;
const rootOf = {
  query: schema.getQueryType(),
  mutation: schema.getMutationType(),
  subscription: schema.getSubscriptionType(),
};
const examples = kinds.flatMap((kind) =>
  Object.keys(rootOf[kind]!.getFields()).map((field) => [kind, field] as const),
);

const fileOf = (kind: string, field: string, end = '.graphql') => new URL(`${kind}/${field}${end}`, folder);
const read = (kind: string, field: string) => readFileSync(fileOf(kind, field), 'utf8');
const id = (type: string, key: string) => Buffer.from(`${type}:${key}`).toString('base64');

/** A store in which every example finds something, and what its placeholders stand for. */
function seeded() {
  const store = temporaryStore();
  const run = seedRun(store, { organism: 'tiny-cake', positions: 5 });
  seedRun(store, { organism: 'tiny-bread', positions: 5, seed: 2 });
  seedOrganism(store, 'idle');
  const vector = store.diffVectors.findByKey(`${run.key}.L1.P0`)!;
  const experiment = seedResults(store, vector);
  seedGrades(store, experiment);
  const tokens = [{ tokenId: 7, text: ' cake', probability: 0.5 }];
  store.projections.save(syntheticReadings(vector, { tokens, parameters: { top: 1 } }));
  const note = store.notes.add({ vector }, 'About ovens.');
  const job = startJob(store, noRoots, 'divergence', { run: run.key });
  const organism = store.organisms.getById(run.organismId);
  const { agentRun, answer } = seedAgentRun(store, organism, run);
  gradeOffline(store, organism, answer);
  const placeholders = {
    'agent run': agentRun.key,
    'agent run id': id('AgentRun', agentRun.key),
    run: run.key,
    job: job.key,
    experiment: experiment.key,
    'organism id': id('Organism', 'tiny-cake'),
    'run id': id('Run', run.key),
    'diff vector id': id('DiffVector', vector.key),
    'note id': id('Note', note.key),
    'job id': id('Job', job.key),
  };
  const variablesOf = (kind: string, field: string): Record<string, unknown> => {
    const file = fileOf(kind, field, '.variables.json');
    if (!existsSync(file)) return {};
    const text = readFileSync(file, 'utf8').replaceAll(
      /<([a-z ]+)>/g,
      (_, name: string) => placeholders[name as keyof typeof placeholders] ?? `no ${name}`,
    );
    return JSON.parse(text) as Record<string, unknown>;
  };
  return { store, variablesOf };
}

/** A root with what the examples register from it. */
function roots() {
  const root = temporaryFolder();
  for (const name of ['base', 'cake']) mkdirSync(join(root, name));
  writeFileSync(join(root, 'everyday.jsonl'), '{"text":"a"}\n');
  return registeredRoots({ models: root });
}

const edgesIn = (value: unknown): unknown[][] =>
  value !== null && typeof value === 'object'
    ? Object.entries(value).flatMap(([name, member]) =>
        name === 'edges' ? [member as unknown[], ...edgesIn(member)] : edgesIn(member),
      )
    : [];

it('is there for every root field, and for nothing else', () => {
  const files = kinds.flatMap((kind) =>
    readdirSync(new URL(kind, folder))
      .filter((name) => name.endsWith('.graphql'))
      .map((name) => [kind, name.replace('.graphql', '')]),
  );
  expect(files.sort()).toEqual(examples.map((example) => [...example]).sort());
});

describe.each(examples)('the example of %s %s', (kind, field) => {
  it('begins with what it answers, asks for that field alone, and says how many rows it wants', () => {
    const text = read(kind, field);
    expect(text.split('\n')[0]).toMatch(/^# .{20,}[.?]$/);
    const document = parse(text);
    const [operation] = document.definitions;
    expect(document.definitions).toHaveLength(1);
    expect(operation).toMatchObject({ kind: 'OperationDefinition', operation: kind });
    const roots: string[] = [];
    visit(document, {
      Field(node: FieldNode, _, __, ___, ancestors) {
        if (ancestors.length === 4) roots.push(node.name.value);
        const selected = node.selectionSet?.selections.map((one) =>
          one.kind === 'Field' ? one.name.value : '',
        );
        if (!selected?.includes('edges') && !selected?.includes('totalCount')) return;
        const first = node.arguments?.find(({ name }) => name.value === 'first');
        expect([node.name.value, first?.value.kind]).toEqual([node.name.value, 'IntValue']);
      },
    });
    expect(roots).toEqual([field]);
  });

  it('is answered', async () => {
    const { store, variablesOf } = seeded();
    const server = await serve(store, { roots: roots() });
    const body = { query: read(kind, field), variables: variablesOf(kind, field) };
    if (kind === 'subscription') {
      // It ends with the job.
      await server.query({
        query: read('mutation', 'jobCancel'),
        variables: variablesOf('mutation', 'jobCancel'),
      });
      const response = await server.get('/graphql', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
        body: JSON.stringify(body),
      });
      const text = await response.text();
      const told = {
        jobProgress: /"number":1,"state":"QUEUED"[^]*"number":2,"state":"CANCELLED"/,
        agentRunProgress: /"number":0,"role":"SYSTEM"[^]*"number":2,"role":"TOOL"[^]*event: complete/,
      };
      expect(text).toMatch(told[field as keyof typeof told]);
      expect(text).not.toContain('"errors"');
      return;
    }
    const response = await server.query(body);
    const { data, errors } = (await response.json()) as { data?: Answer; errors?: unknown };
    expect(errors).toBeUndefined();
    const answer = data![field] as Answer | null;
    expect(answer).not.toBeNull();
    if (kind === 'query') {
      expect(edgesIn(answer).filter((edges) => edges.length === 0)).toEqual([]);
      if (Array.isArray(answer)) expect(answer).not.toContain(null);
    } else {
      expect(answer!['userErrors']).toEqual([]);
      const { userErrors: _, ...rest } = answer!;
      expect(Object.values(rest)).not.toContain(null);
    }
  });
});
