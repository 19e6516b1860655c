import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { schema } from '../../schema/index.ts';
import { graphContext } from '../../schema/index.ts';
import { maxCost } from '../../schema/limits.ts';
import { Documents } from '../../src/server/graph/documents.ts';
import { weigh } from '../../src/server/graph/execute.ts';
import { exampleQuery } from '../../src/server/index.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const documents = new Documents(schema, 2 ** 24);
const pages = [
  'README.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** Every document of GraphQL that a page shows, and GraphiQL's first. */
const shown: [where: string, source: string][] = [
  ...pages.flatMap((name) =>
    [...readFileSync(name, 'utf8').matchAll(/```graphql\n(.*?)```/gs)].map(
      ([, source = ''], i): [string, string] => [`${name} ${i + 1}`, source],
    ),
  ),
  ['GraphiQL', exampleQuery],
];

it('there are queries to look at', () => expect(shown.length).toBeGreaterThan(4));

it.each(shown)('a stranger may ask what is shown: %s', (_, source) => {
  const prepared = documents.prepare(source);
  expect(prepared.errors).toEqual([]);
  // Changes need a token, and are not asked by strangers.
  const [operation] = prepared.document?.definitions ?? [];
  const mutation = operation?.kind === 'OperationDefinition' && operation.operation === 'mutation';
  const costLimit = mutation ? maxCost.known : maxCost.anonymous;
  const context = graphContext(temporaryStore(), 'http://127.0.0.1', { costLimit });
  const { errors, cost } = weigh(schema, documents, { prepared, context });
  expect([errors, cost]).toEqual([undefined, cost]);
  expect(cost).toBeGreaterThan(0);
});
