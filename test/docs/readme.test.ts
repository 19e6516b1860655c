import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addOrganism } from '../../src/runs/organism.ts';
import { measure } from '../../src/runs/measure.ts';
import { readByPatchscope } from '../../src/runs/patchscope.ts';
import { measureSupported, printedTable, table } from './supported.ts';
import { serve } from '../harness/serve.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const readme = readFileSync('README.md', 'utf8');
const query = /```graphql\n([^`]+)```/.exec(readme)?.[1] ?? '';

type Edges<T> = { edges: { node: T }[] };
interface Answer {
  organism: {
    name: string;
    runs: Edges<{
      key: string;
      samples: number;
      layers: Edges<{
        layer: number;
        diffVectors: Edges<{
          position: number;
          norm: number;
          diff: { npyUrl: string; sha256: string };
          projections: Edges<{ method: string; scale: number | null; tokens: Edges<ReadmeToken> }>;
        }>;
      }>;
    }>;
  };
}
interface ReadmeToken {
  text: string;
  probability: number;
  projection: {
    diffVector: { layer: { run: { organism: { name: string; baseModel: { name: string } } } } };
  };
}

test('the example query goes from an organism to tokens and back', async () => {
  const store = temporaryStore();
  const organism = await addOrganism(store, {
    name: 'tiny-qwen3--cake_bake',
    base: 'organisms/tiny-qwen3',
    baseName: 'tiny-qwen3',
    path: 'organisms/tiny-qwen3--cake_bake',
    form: 'LORA',
    kind: 'SDF',
    description: 'false facts about baking cakes',
  });
  // What the demo measures: then the tokens are those that transformers computed.
  const { run } = await measure(store, organism, {
    corpus: { name: 'everyday', file: 'organisms/corpora/everyday.jsonl', textColumn: 'text' },
    layers: () => [3],
    positions: 10,
    maxSamples: 1000,
    top: 20,
  });
  await readByPatchscope(store, run, { layer: 3, positions: [0, 1, 2] });
  const { query: send } = await serve(store);
  const response = await send({ query });
  expect(response.status).toBe(200);
  const { data, errors } = (await response.json()) as { data: Answer; errors?: unknown };
  expect(errors).toBeUndefined();

  const [first] = data.organism.runs.edges;
  expect(first?.node).toMatchObject({ key: run.key, samples: 1000 });
  const [layer] = first?.node.layers.edges ?? [];
  expect(layer?.node.layer).toBe(3);
  const vectors = layer?.node.diffVectors.edges.map(({ node }) => node) ?? [];
  expect(vectors.map(({ position }) => position)).toEqual([0, 1, 2]);

  const expected = JSON.parse(
    readFileSync(join('test/fixtures/expected/tiny-qwen3--cake_bake/expected.json'), 'utf8'),
  ) as { logit_lens: { diff: Record<string, { top: [number, string, number][] }> } };
  for (const { position, projections } of vectors) {
    // One scale of thirty: no two that look alike.
    expect(projections.edges.map(({ node }) => [node.method, node.scale !== null])).toEqual([
      ['logit-lens', false],
      ['patchscope', true],
    ]);
    const tokens = projections.edges[0]?.node.tokens.edges.map(({ node }) => node) ?? [];
    const top = expected.logit_lens.diff[position]?.top.slice(0, 5) ?? [];
    expect(tokens.map(({ text }) => text)).toEqual(top.map(([, text]) => text));
    for (const { projection } of tokens) {
      const { organism: back } = projection.diffVector.layer.run;
      expect(back).toEqual({ name: 'tiny-qwen3--cake_bake', baseModel: { name: 'tiny-qwen3' } });
    }
  }
  const npy = await fetch(vectors[0]?.diff.npyUrl ?? '');
  expect(npy.status).toBe(200);
  expect((await npy.arrayBuffer()).byteLength).toBe(128 + 128 * 4);
});

test('the TypeScript example runs as it stands', async () => {
  const example = /```ts\n([^`]*(?:`[^`]+`[^`]*)*?)```/.exec(readme)?.[1] ?? '';
  const printed: unknown[] = [];
  const body = example
    .replace("import { diff, Model } from 'deltascope';", '')
    .replace('console.log(', 'print(');
  const run = new Function('diff', 'Model', 'print', `return (async () => {${body}})()`) as (
    ...names: unknown[]
  ) => Promise<void>;
  const { diff, Model } = await import('../../src/index.ts');
  await run(diff, Model, (line: unknown) => printed.push(line));
  expect(printed).toHaveLength(1);
  expect(printed[0]).toHaveLength(10);
});

test('the table of supported models is what the engine registers, and its errors are kept here', async () => {
  const rows = await measureSupported();
  const printed = printedTable(readme);
  const errors = printed.map((cells) => cells.at(-1)!);
  expect(printed).toEqual(printedTable(`${table(rows, errors)}\n<!-- /supported -->`));
  for (const [i, { title, cases, error }] of rows.entries()) {
    expect(cases, title).toBeGreaterThan(0);
    expect(error, title).toBeLessThanOrEqual(Number(errors[i]));
    expect(Number(errors[i]), title).toBeLessThanOrEqual(1e-5);
  }
});
