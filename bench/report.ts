import type { Contender, Dtype, Measurement, Tried } from './contenders.ts';
import { describeMachine, type Machine } from './machine.ts';
import { digits, markdownTable, megabytes, whole } from './markdown.ts';
import { median, ratios, type Spread, spread } from './statistics.ts';

/** All that a run of bench:engine measured. */
export interface Report {
  machine: Machine;
  versions: Record<string, string>;
  model: {
    name: string;
    adapter: boolean;
    bos: boolean;
    blocks: number;
    layer: number;
    texts: number;
    /** Tokens of one text. */
    width: number;
    /** Distinct prefixes of all texts. */
    prefixes: number;
  };
  threads: number;
  /** Floating-point operations of the matrix products that the prefixes need, both models together. */
  operations: number;
  /** Resident memory of a process that opened the models and did nothing more. */
  openedBytes: number;
  sweeps: Sweep[];
  agreements: Agreement[];
  contenders: Omit<Contender, 'measure' | 'vector'>[];
  rounds: Round[];
}

export interface Sweep {
  dtype: Dtype;
  /** The fastest of those tried. */
  batch: number;
  tried: Tried[];
}

/** How near a mean difference comes to that of transformers in float32 on the same texts. */
export interface Agreement {
  name: string;
  relativeL2: number;
  cosine: number | null;
}

export interface Round {
  /** Processes that wanted a core in the minute before. */
  load: number;
  /** By name of contender. */
  measurements: Record<string, Measurement>;
}

type Entry = Report['contenders'][number];

const goalShape = 'qwen3-0.6b';

/** Largest relative L2 error of a mean difference that still counts as the same. */
export const parity = 1e-4;

export function renderReport(report: Report): string {
  const ours = report.contenders.filter(({ kind }) => kind === 'ours');
  return [
    heading(report),
    conditions(report),
    markdownTable(...contenderTable(report, ours)),
    markdownTable(...oursTable(report, ours)),
    ...(report.agreements.length > 0
      ? [markdownTable(...agreementTable(report))]
      : ['Not compared with transformers: whether the same is computed was not checked.']),
    markdownTable(...goalTable(report, ours)),
    ...(report.model.name === goalShape && !report.model.adapter
      ? []
      : [`The goals are stated for ${goalShape} with a full checkpoint.`]),
  ].join('\n\n');
}

type Table = Parameters<typeof markdownTable>;

function heading({ model }: Report): string {
  const { name, adapter, bos, texts, width, layer, blocks } = model;
  const finetune = adapter ? 'LoRA adapter' : 'full checkpoint';
  const tokens = `${whole(texts)} texts × ${width} tokens${bos ? ', one BOS before all' : ''}`;
  return `### ${name}, ${finetune}, ${tokens}, block ${layer} of ${blocks}`;
}

function conditions(report: Report): string {
  const { machine, versions, threads, rounds, contenders, model } = report;
  const loads = rounds.map(({ load }) => load);
  const fewer = contenders.find(({ texts }) => texts < model.texts)?.texts;
  const used = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${describeMachine(machine)}; ${threads} threads for everyone; load before a round ` +
      `${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}. Node ${machine.node}, ${used.join(', ')}.`,
    `Rounds with every contender once: ${rounds.length}. Shown are medians, and medians of the ratios within a round (least to most). ` +
      'Tokens are those of both models, repeated prefixes included; models are open before the clock starts.',
    ...(fewer === undefined ? [] : [`transformers is given the first ${whole(fewer)} texts.`]),
    ...(isDisturbed(report)
      ? ['**Other work took part of the cores: these numbers are not worth keeping.**']
      : []),
  ].join('\n');
}

const seconds = (report: Report, entry: Entry, key: 'seconds' | 'cpuSeconds' = 'seconds'): number[] =>
  report.rounds.map(({ measurements }) => measurements[entry.name]?.[key] ?? NaN);

const tokensPerSecond = (report: Report, entry: Entry): number[] =>
  seconds(report, entry).map((s) => (2 * entry.texts * report.model.width) / s);

const coresBusy = (report: Report, entry: Entry): number[] =>
  ratios(seconds(report, entry, 'cpuSeconds'), seconds(report, entry));

/** The products alone keep every thread busy wherever the cores are free. */
const isDisturbed = (report: Report): boolean =>
  report.contenders
    .filter(({ kind }) => kind === 'floor')
    .some((entry) => coresBusy(report, entry).some((cores) => cores < 0.9 * report.threads));

/** How many times as fast a is as b. */
const speedup = (report: Report, a: Entry, b: Entry): Spread =>
  spread(ratios(tokensPerSecond(report, a), tokensPerSecond(report, b)));

const largest = (report: Report, { name }: Entry, key: 'peakBytes' | 'waves'): number =>
  Math.max(...report.rounds.map(({ measurements }) => measurements[name]?.[key] ?? NaN));

const range = ({ median, least, most }: Spread): string =>
  least === most ? digits(median) : `${digits(median)} (${digits(least)} to ${digits(most)})`;

function contenderTable(report: Report, ours: Entry[]): Table {
  const rows = report.contenders.map((entry) => {
    const peak = largest(report, entry, 'peakBytes');
    return [
      entry.name,
      whole(entry.texts),
      digits(median(seconds(report, entry))),
      digits(median(tokensPerSecond(report, entry))),
      ...ours.map((one) => (one === entry ? '' : range(speedup(report, one, entry)))),
      digits(median(coresBusy(report, entry))),
      Number.isFinite(peak) ? megabytes(peak) : '',
    ];
  });
  const header = ['contender', 'texts', 'seconds', 'tokens/s'];
  const against = ours.map(({ name }) => `${name} ÷ it`);
  return [
    [[...header, ...against, 'cores busy', 'peak memory'], ...rows],
    [1, 2, 3, 4 + ours.length, 5 + ours.length],
  ];
}

/** Time of ours over that of the products alone, in its dtype. */
function overFloor(report: Report, one: Entry, key?: 'cpuSeconds'): Spread | undefined {
  const floor = report.contenders.find(({ kind, dtype }) => kind === 'floor' && dtype === one.dtype);
  return floor && spread(ratios(seconds(report, one, key), seconds(report, floor, key)));
}

const beyondOpened = (report: Report, one: Entry): number =>
  largest(report, one, 'peakBytes') - report.openedBytes;

function oursTable(report: Report, ours: Entry[]): Table {
  const { prefixes, texts, width } = report.model;
  const share = `${whole(prefixes)} of ${whole(texts * width)} (${((100 * prefixes) / (texts * width)).toFixed(1)} %)`;
  const row = (what: string, value: (one: Entry) => string) => [what, ...ours.map(value)];
  const shown = (value: Spread | undefined) => (value ? range(value) : 'not measured');
  return [
    [
      ['', ...ours.map(({ name }) => name)],
      row('unique prefixes, computed once each', () => share),
      row('waves', (one) => whole(largest(report, one, 'waves'))),
      row('GFLOP/s of its matrix products, over the whole time', (one) =>
        digits(report.operations / 1e9 / median(seconds(report, one))),
      ),
      row('time ÷ matrix products alone', (one) => shown(overFloor(report, one))),
      row('processor time ÷ that of the products alone', (one) =>
        shown(overFloor(report, one, 'cpuSeconds')),
      ),
      row('peak memory', (one) => megabytes(largest(report, one, 'peakBytes'))),
      row('… beyond what a process holds that only opened the models', (one) =>
        megabytes(beyondOpened(report, one)),
      ),
    ],
  ];
}

function agreementTable({ agreements, contenders }: Report): Table {
  const texts = contenders.find(({ kind }) => kind === 'cut')?.texts ?? NaN;
  return [
    [
      [`mean difference of ${whole(texts)} texts against transformers in float32`, 'relative L2', 'cosine'],
      ...agreements.map(({ name, relativeL2, cosine }) => [
        name,
        relativeL2.toExponential(1),
        cosine?.toFixed(6) ?? 'none',
      ]),
    ],
    [1, 2],
  ];
}

/** The design's goals. The second is another where texts share a BOS. */
function goalTable(report: Report, ours: Entry[]): Table {
  const rate = (entry: Entry) => median(tokensPerSecond(report, entry));
  const plain = report.contenders.find(({ kind }) => kind === 'plain');
  const [best] = report.contenders.filter(({ kind }) => kind === 'cut').sort((a, b) => rate(b) - rate(a));
  const aboveBest = report.model.bos ? 2.2 : 1.5;

  const atLeast = (goal: number, value: Spread | undefined) =>
    value ? verdict(range(value), value.median >= goal) : 'not measured';
  const row = (what: string, goal: string, cell: (one: Entry) => string) => [what, goal, ...ours.map(cell)];
  const rows = [
    row('tokens/s ÷ transformers plain', '≥ 7', (one) => atLeast(7, plain && speedup(report, one, plain))),
    row(`tokens/s ÷ ${best?.name ?? 'transformers cut by hand'}`, `≥ ${aboveBest}`, (one) =>
      atLeast(aboveBest, best && speedup(report, one, best)),
    ),
    row('time ÷ matrix products alone', '≤ 1.15', (one) => {
      const value = overFloor(report, one);
      return value ? verdict(range(value), value.median <= 1.15) : 'not measured';
    }),
    row('peak memory beyond opened models', '≤ 600 MB', (one) => {
      const bytes = beyondOpened(report, one);
      return verdict(megabytes(bytes), bytes <= 600e6);
    }),
    row('mean difference against transformers in float32, relative L2', '≤ 1e-4', (one) => {
      const error = report.agreements.find(({ name }) => name === one.name)?.relativeL2;
      if (one.dtype !== 'float32') return 'no goal';
      return error === undefined ? 'not measured' : verdict(error.toExponential(1), error <= parity);
    }),
  ];
  return [[['', 'goal', ...ours.map(({ name }) => name)], ...rows]];
}

const verdict = (text: string, reached: boolean): string => `${text}: ${reached ? 'reached' : 'missed'}`;
