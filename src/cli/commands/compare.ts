import { Command } from 'commander';
import type { DiffVectorRow, Store } from '../../db/index.ts';
import type { EmbeddingReply, ExchangeStore } from '../../graders/index.ts';
import { CodedError } from '../../lib/coded-error.ts';
import type { TextEncoder } from '../../runs/encoders/encoder.ts';
import { withStore, withStoreToRead } from '../data-folder.ts';
import { dataOption, jsonOption, layerOption, positionList, threadsOption, wholeNumber } from '../options.ts';
import { plain, plainJson } from '../plain.ts';
import { digits, plainTable } from '../plain-table.ts';
import { addServerOptions, keyOf, type ServerFlags } from '../provider-options.ts';
import { findRun } from '../read-run.ts';
import { withProgress } from '../with-progress.ts';

interface CompareOptions extends ServerFlags {
  data: string;
  layer?: number;
  positions?: number[];
  nearest: number;
  texts?: boolean;
  encoder?: string;
  embedder?: string;
  dimensions?: number;
  maxCalls?: number;
  maxTokens?: number;
  threads?: number;
  json?: boolean;
}

/** How alike diffs are, and steered texts to what an organism was trained on. */
export const compareCommand = (): Command =>
  addServerOptions(
    new Command('compare')
      .description(
        'cosines of diffs: of two runs, or the nearest among other organisms of the base; with --texts, of steered texts and the training corpus',
      )
      .argument('<one>', 'organism, for its latest run; run; or diff vector like <run>.L3.P2')
      .argument('[other]', 'the same, to compare with; the nearest of other organisms when left out')
      .addOption(layerOption())
      .option('--positions <list>', 'positions, like 0-4,7 (default: all measured)', positionList)
      .option('--nearest <k>', 'neighbours of each diff', wholeNumber(1, 1000), 3)
      .option('--texts', 'compare the texts of steering experiments with the training corpus')
      .option('--encoder <folder>', 'checkpoint that embeds texts (default: the base model)')
      .option('--embedder <model>', 'embedding model at the base URL instead, which is sent the texts')
      .option(
        '--dimensions <n>',
        'numbers of its vectors (default: as many as it gives)',
        wholeNumber(1, 100_000),
      )
      .option('--max-calls <n>', 'calls at most, failed ones included', wholeNumber(1))
      .option('--max-tokens <n>', 'tokens at most', wholeNumber(1)),
  )
    .addOption(threadsOption())
    .addOption(dataOption())
    .addOption(jsonOption())
    .action(async (one: string, other: string | undefined, options: CompareOptions) => {
      if (options.texts) return compareTextsOf(one, other, options);
      return withStoreToRead(options.data, async (store) => {
        const rows =
          other === undefined
            ? await nearestOf(store, one, options)
            : await cosines(store, one, other, options);
        process.stdout.write(
          options.json
            ? `${plainJson(rows, 2)}\n`
            : `${plainTable(
                ['diff', other === undefined ? 'nearest' : 'other', 'cosine'],
                rows.map((row) => [plain(row.diff), plain(row.other), digits(row.cosine)]),
              )}\n`,
        );
      });
    });

interface Cosine {
  diff: string;
  diffKey: string;
  other: string;
  otherKey: string;
  cosine: number | null;
}

/** The diffs that a name stands for. */
async function diffsOf(
  store: Store,
  name: string,
  { layer, positions }: CompareOptions,
): Promise<DiffVectorRow[]> {
  const one = store.diffVectors.findByKey(name);
  if (one) return [one];
  const { layerOf, vectorsOf } = await import('../../runs/stored-run.ts');
  return vectorsOf(store, layerOf(store, findRun(store, name).run, layer), positions);
}

const label = (store: Store, { layer, position }: DiffVectorRow): string =>
  `${store.organisms.getById(layer.run.organismId).name} L${layer.layer} P${position}`;

const pair = (store: Store, a: DiffVectorRow, b: DiffVectorRow, cosine: number | null): Cosine => ({
  diff: label(store, a),
  diffKey: a.key,
  other: label(store, b),
  otherKey: b.key,
  cosine,
});

async function cosines(store: Store, one: string, other: string, options: CompareOptions): Promise<Cosine[]> {
  const { cosineOf } = await import('../../runs/nearest-vectors.ts');
  const [a, b] = [await diffsOf(store, one, options), await diffsOf(store, other, options)];
  const pairs =
    a.length === 1 || b.length === 1
      ? a.flatMap((left) => b.map((right) => [left, right] as const))
      : a.flatMap((left) =>
          b.filter(({ position }) => position === left.position).map((right) => [left, right] as const),
        );
  if (pairs.length === 0)
    throw new CodedError('NOT_FOUND', `"${one}" and "${other}" have no position in common`);
  return pairs.map(([left, right]) => pair(store, left, right, cosineOf(store, left, right)));
}

async function nearestOf(store: Store, one: string, options: CompareOptions): Promise<Cosine[]> {
  const { nearestVectors } = await import('../../runs/nearest-vectors.ts');
  return (await diffsOf(store, one, options)).flatMap((vector) => {
    const candidates = store.vectors.ofOtherOrganisms(vector, { sameBase: true, sameLayer: true });
    return nearestVectors(store, vector, candidates, options.nearest).map((found) =>
      pair(store, vector, found.diffVector, found.cosine),
    );
  });
}

/** Compares by an encoder behind a server, each of whose replies is kept in the store, and which one process at a time asks. */
async function compareByServer<T>(
  store: Store,
  model: string,
  options: CompareOptions,
  compare: (encoder: TextEncoder, lost: AbortSignal) => Promise<T>,
): Promise<T> {
  if (options.encoder !== undefined)
    throw new CodedError('INVALID_ARGUMENT', 'texts are embedded by --encoder or by --embedder, not by both');
  const { EmbeddingRunner, openAiEmbeddings } = await import('../../graders/index.ts');
  const { endpointEncoder } = await import('../../runs/encoders/endpoint.ts');
  const { baseUrl, allowLoopback: loopback, timeout, dimensions, maxCalls, maxTokens } = options;
  const key = await keyOf(options);
  const embedder = openAiEmbeddings({ baseUrl, model, key, loopback, dimensions, timeoutMs: 1000 * timeout });
  const exchanges: ExchangeStore<EmbeddingReply> = {
    get: (of) => store.exchanges.get<EmbeddingReply>(of),
    put: (exchange) => store.exchanges.put(exchange),
  };
  const limits = { calls: maxCalls, tokens: maxTokens };
  const encoder = endpointEncoder(new EmbeddingRunner({ embedder, exchanges, limits }));
  const { alone } = await import('../../runs/hold-lease.ts');
  return alone(store, `embedding by ${model} (${embedder.endpoint})`, (lost) => compare(encoder, lost));
}

async function compareTextsOf(
  one: string,
  other: string | undefined,
  options: CompareOptions,
): Promise<void> {
  if (other !== undefined)
    throw new CodedError(
      'INVALID_ARGUMENT',
      'with --texts one organism or run is compared, with its own training corpus',
    );
  return withStore(options.data, async (store) => {
    const { compareTexts } = await import('../../runs/compare.ts');
    const experiments = (await diffsOf(store, one, options)).flatMap(
      (vector) => store.steering.ofDiffVector.page(vector, {}, { first: 1000 }).rows,
    );
    if (experiments.length === 0) {
      throw new CodedError(
        'NOT_FOUND',
        `"${one}" was not steered yet there; steer it with deltascope steer ${one}`,
      );
    }
    const { threads } = options;
    const compare = (encoder: TextEncoder | string | undefined, lost?: AbortSignal) =>
      withProgress(one, async (work) => {
        const rows = [];
        const signal = AbortSignal.any([work.signal, lost].flatMap((each) => each ?? []));
        for (const experiment of experiments) {
          const made = await compareTexts(store, experiment, { ...work, signal, encoder, threads });
          rows.push({ experiment, ...made });
        }
        return rows;
      });
    const compared =
      options.embedder === undefined
        ? await compare(options.encoder)
        : await compareByServer(store, options.embedder, options, compare);
    if (options.json) {
      const rows = compared.map(({ experiment, reused, similarities }) => ({
        experiment: experiment.key,
        reused,
        similarities: similarities.map((row) => ({
          group: row.group,
          other: row.other,
          cosine: row.cosine,
          texts: row.texts,
          otherTexts: row.otherTexts,
          encoder: row.encoderName,
        })),
      }));
      process.stdout.write(`${plainJson(rows, 2)}\n`);
      return;
    }
    const cosinesOf = (similarities: (typeof compared)[number]['similarities'], other: string) =>
      ['STEERED', 'UNSTEERED', 'TRAINING'].map((group) =>
        digits(similarities.find((row) => row.group === group && row.other === other)?.cosine),
      );
    const table = plainTable(
      ['steered by', 'strength', 'with', 'steered', 'unsteered', 'training'],
      compared.flatMap(({ experiment, similarities }) =>
        ['TRAINING', 'PROBE'].map((other) => [
          label(store, experiment.diffVector),
          digits(experiment.strength),
          `${other.toLowerCase()} corpus`,
          ...cosinesOf(similarities, other),
        ]),
      ),
    );
    process.stdout.write(`mean cosine of text embeddings\n${table}\n`);
  });
}
