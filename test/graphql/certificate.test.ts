import BetterSqlite3 from 'better-sqlite3';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStore, type RunCertificate, type Store } from '../../src/db/index.ts';
import { ask, errorCode } from '../harness/ask.ts';
import {
  firstCertificate,
  fakeDigest,
  seedOrganism,
  seedRun,
  syntheticCertificate,
  syntheticRun,
} from '../harness/synthetic-run.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const everything = `certificate {
  warnings
  sharedWeights
  adapter {
    kind parameters baseName largestChangeNorm smallestChangeNorm foreignTensors
    canary { movedAt relativeChange }
    modules(first: 2) { totalCount pageInfo { hasNextPage } edges { node { module changeNorm replaced } } }
  }
  tokenizer { digest finetunedDigest equal vocabularyEqual }
  vocabularySizes { base finetuned }
  notFinite { activations baseWeights finetunedWeights }
  digests { base finetuned tokens corpus }
  selection { rowsRead skippedEmpty skippedShort }
  unknownConfigKeys { base finetuned }
}`;

const certificateIn = async (store: Store, selection = everything) =>
  (await ask(store, `{ organism(name: "tiny-cake") { latestRun { ${selection} } } }`)).organism.latestRun
    .certificate;

function storeWith(certificate: RunCertificate): Store {
  const store = temporaryStore();
  const { organism, corpus } = seedOrganism(store);
  store.runs.save({ ...syntheticRun({ organismId: organism.id, corpusId: corpus.id }), certificate });
  return store;
}

describe('a certificate', () => {
  it('shows all that was checked', async () => {
    const store = temporaryStore();
    seedRun(store);
    const { warnings, sharedWeights, tokenizer, vocabularySizes, selection, unknownConfigKeys } =
      syntheticCertificate;
    expect(await certificateIn(store)).toEqual({
      ...{ warnings, sharedWeights, tokenizer, vocabularySizes, selection, unknownConfigKeys },
      adapter: {
        kind: 'LORA',
        parameters: '5000000000',
        baseName: 'tiny/base',
        largestChangeNorm: 2.5,
        smallestChangeNorm: 0.5,
        foreignTensors: 0,
        canary: { movedAt: 'layer 0', relativeChange: 0.125 },
        modules: {
          totalCount: 3,
          pageInfo: { hasNextPage: true },
          edges: [
            { node: { module: 'layers.0.mlp.up_proj', changeNorm: 0.5, replaced: false } },
            { node: { module: 'layers.1.mlp.up_proj', changeNorm: 1.5, replaced: false } },
          ],
        },
      },
      notFinite: { activations: '0', baseWeights: '3000000000', finetunedWeights: '0' },
      digests: {
        base: fakeDigest('tiny-base'),
        finetuned: fakeDigest('tiny-cake'),
        tokens: fakeDigest('tokens'),
        corpus: fakeDigest('probe'),
      },
    });
  });

  it('of a full finetune has no adapter', async () => {
    const store = storeWith({ ...syntheticCertificate, adapter: null });
    expect((await certificateIn(store)).adapter).toBeNull();
  });

  it('shows what was not finite as null, and takes the extremes of the rest', async () => {
    const modules = [NaN, 3, Infinity, 2].map((changeNorm, layer) => ({
      module: `layers.${layer}.mlp.up_proj`,
      changeNorm,
      replaced: layer === 1,
    }));
    const canary = { movedAt: 'embedding', relativeChange: Infinity };
    const adapter = { ...syntheticCertificate.adapter!, modules, canary };
    const found = (await certificateIn(storeWith({ ...syntheticCertificate, adapter }))).adapter;
    expect(found).toMatchObject({
      largestChangeNorm: 3,
      smallestChangeNorm: 2,
      canary: { movedAt: 'embedding', relativeChange: null },
      modules: { edges: [{ node: { changeNorm: null } }, { node: { changeNorm: 3, replaced: true } }] },
    });
    const nothing = { ...adapter, modules: modules.slice(0, 1) };
    expect(
      (await certificateIn(storeWith({ ...syntheticCertificate, adapter: nothing }))).adapter,
    ).toMatchObject({
      largestChangeNorm: null,
      smallestChangeNorm: null,
    });
  });

  it('of the first version shows null where nothing was checked', async () => {
    const file = join(temporaryFolder(), 'store.sqlite');
    const store = openStore(file);
    seedRun(store);
    const other = new BetterSqlite3(file);
    other.prepare('update runs set certificate = ?').run(firstCertificate);
    other.close();
    expect(await certificateIn(store)).toMatchObject({
      sharedWeights: true,
      adapter: { kind: 'LORA', foreignTensors: null, canary: null, largestChangeNorm: 2.15973395551516 },
      tokenizer: null,
      notFinite: { activations: '0', baseWeights: null, finetunedWeights: null },
      digests: { base: fakeDigest('tiny-base') },
    });
    store.close();
  });
});

describe('the modules of an adapter', () => {
  const modules = Array.from({ length: 250 }, (_, layer) => ({
    module: `layers.${layer}.mlp.up_proj`,
    changeNorm: layer,
    replaced: false,
  }));
  const large = () =>
    storeWith({ ...syntheticCertificate, adapter: { ...syntheticCertificate.adapter!, modules } });
  const page = async (store: Store, args: string) => {
    const { adapter } = await certificateIn(
      store,
      `certificate { adapter { modules${args} {
        totalCount edges { cursor node { changeNorm } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      } } }`,
    );
    const { edges, ...rest } = adapter.modules as {
      edges: { cursor: string; node: { changeNorm: number } }[];
      totalCount: number;
      pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string; endCursor: string };
    };
    return {
      ...rest,
      cursors: edges.map(({ cursor }) => cursor),
      norms: edges.map(({ node }) => node.changeNorm),
    };
  };
  const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

  it('are paged like every other list', async () => {
    const store = large();
    const first = await page(store, '');
    expect(first).toMatchObject({ totalCount: 250, norms: numbers(0, 50) });
    expect(first.pageInfo).toMatchObject({
      hasPreviousPage: false,
      hasNextPage: true,
      startCursor: first.cursors[0],
      endCursor: first.cursors[49],
    });
    const [after, before] = [`after: "${first.cursors[9]}"`, `before: "${first.cursors[19]}"`];
    for (const [args, norms, hasPreviousPage, hasNextPage] of [
      [`(first: 200, ${after})`, numbers(10, 210), true, true],
      [`(last: 3)`, numbers(247, 250), true, false],
      [`(last: 3, ${before})`, numbers(16, 19), true, true],
      [`(${after}, ${before})`, numbers(10, 19), true, true],
      [`(first: 4, last: 2, ${after}, ${before})`, numbers(12, 14), true, true],
      [`(first: 0)`, [], false, true],
      [`(after: "${first.cursors[19]}", before: "${first.cursors[9]}")`, [], true, true],
    ] as const) {
      const found = await page(store, args);
      expect([found.norms, found.pageInfo.hasPreviousPage, found.pageInfo.hasNextPage], args).toEqual([
        norms,
        hasPreviousPage,
        hasNextPage,
      ]);
    }
    const last = await page(store, '(last: 1)');
    expect(await page(store, `(after: "${last.cursors[0]}")`)).toMatchObject({
      norms: [],
      pageInfo: { hasPreviousPage: true, hasNextPage: false },
    });
  });

  it('refuse too large a page, and cursors of other lists', async () => {
    const store = large();
    const code = (args: string) =>
      errorCode(
        store,
        `{ organism(name: "tiny-cake") { latestRun { certificate { adapter { modules(${args}) { totalCount } } } } } }`,
      );
    expect(await code('first: 201')).toBe('BAD_USER_INPUT');
    const { runs } = await ask(store, '{ runs { pageInfo { endCursor } } }');
    expect(await code(`after: "${runs.pageInfo.endCursor}"`)).toBe('INVALID_CURSOR');
    const other = storeWith({ ...syntheticCertificate, warnings: [] });
    seedRun(other, { organism: 'tiny-bread', seed: 9 });
    const foreign = await ask(
      other,
      `{ organism(name: "tiny-bread") { latestRun { certificate { adapter { modules(first: 1) { pageInfo { endCursor } } } } } } }`,
    );
    const cursor = foreign.organism.latestRun.certificate.adapter.modules.pageInfo.endCursor;
    expect(await code(`after: "${cursor}"`)).toBe('INVALID_CURSOR');
  });
});
