import { parse, validate, type OperationDefinitionNode } from 'graphql';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { schema } from '../../schema/index.ts';
import { packageRoot } from '../../src/lib/package-root.ts';
import { serve } from '../harness/serve.ts';
import { seedAgentRun } from '../harness/synthetic-agent.ts';
import { seedGrades } from '../harness/synthetic-grades.ts';
import { seedResults } from '../harness/synthetic-results.ts';
import { seedRun } from '../harness/synthetic-run.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const folder = join(packageRoot(), 'explorer');
const files = readdirSync(folder);
const documents = Object.entries((await import(join(folder, 'documents.js'))) as Record<string, string>);

it('serves every file of the page, each with a type and a policy that lets in nothing else', async () => {
  const { get } = await serve(temporaryStore(), { graphiql: true });
  const types = { html: 'text/html', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' };
  for (const name of files) {
    const response = await get(`/explorer/${name}`);
    expect([name, response.status]).toEqual([name, 200]);
    const type = types[name.split('.').at(-1) as keyof typeof types];
    expect(response.headers.get('content-type')).toBe(`${type}; charset=utf-8`);
    expect(response.headers.get('content-security-policy')).toMatch(
      /default-src 'none'.*script-src 'self'; style-src 'self'; connect-src 'self'/,
    );
    expect(await response.text()).toBe(readFileSync(join(folder, name), 'utf8'));
    const tag = response.headers.get('etag') ?? '';
    const again = await get(`/explorer/${name}`, { headers: { 'If-None-Match': tag } });
    expect(again.status).toBe(304);
  }
  expect(await (await get('/')).text()).toBe(readFileSync(join(folder, 'index.html'), 'utf8'));
});

it('serves nothing but those', async () => {
  const { get } = await serve(temporaryStore(), { graphiql: true });
  for (const path of [
    '/explorer/',
    '/explorer/package.json',
    '/explorer/..%2fpackage.json',
    '/explorer/none.js',
  ])
    expect([path, (await get(path)).status]).toEqual([path, 404]);
});

it('refers to files that are there, and has no script, style or listener in its HTML', () => {
  const html = readFileSync(join(folder, 'index.html'), 'utf8');
  const named = [...html.matchAll(/(?:href|src)="\/explorer\/([^"]+)"/g)].map(([, name]) => name);
  expect(named).toEqual(['style.css', 'icon.svg', 'main.js']);
  expect(files).toEqual(expect.arrayContaining(named));
  expect(html).not.toMatch(/<style|style=|\son\w+=|<script>/);
  for (const name of files.filter((each) => each.endsWith('.js'))) {
    const source = readFileSync(join(folder, name), 'utf8');
    for (const [, other] of source.matchAll(/from '\.\/([^']+)'/g)) expect(files).toContain(other);
    // Strangers' words go in as text only.
    expect(source).not.toMatch(
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function/,
    );
  }
});

it.each(documents)('asks what the schema has: %s', (_, document) => {
  expect(validate(schema, parse(document))).toEqual([]);
});

it('gets answers to all of it from a store', async () => {
  const store = temporaryStore();
  const run = seedRun(store);
  seedGrades(store, seedResults(store, store.diffVectors.findByKey(`${run.key}.L1.P0`)!));
  const { query } = await serve(store);
  const place = `${run.key}.L1.P0`;
  const row = store.organisms.getById(run.organismId);
  const organism = row.name;
  const { agentRun } = seedAgentRun(store, row, run);
  const variables: Record<string, object> = {
    organism: { name: organism },
    places: { run: run.key },
    run: { run: run.key },
    place: { key: place },
    readings: { key: place, variant: 'DIFF', sign: 'PROMOTED' },
    neighbours: { key: place },
    samples: { key: 'none' },
    agentRuns: { name: organism },
    hypotheses: { key: agentRun.key },
    messages: { key: agentRun.key },
  };
  for (const [name, document] of documents) {
    const response = await query({ query: document, variables: variables[name] ?? {} });
    const { data, errors } = (await response.json()) as { data: Record<string, unknown>; errors?: unknown };
    expect([name, errors]).toEqual([name, undefined]);
    const [root] = (parse(document).definitions[0] as OperationDefinitionNode).selectionSet.selections;
    const field = root?.kind === 'Field' ? root.name.value : '';
    expect([name, data[field] === null]).toEqual([name, name === 'samples']);
  }
});
