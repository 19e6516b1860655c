import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  type AgentKind,
  type AgentPair,
  openStore,
  type OrganismRow,
  type ProjectionRow,
  type RunRow,
  type Store,
} from '../../src/db/index.ts';
import { bootstrapInterval, mean } from '../../src/graders/statistics.ts';
import { packageVersion } from '../../src/lib/package-root.ts';
import { reportOf } from '../../src/report/index.ts';
import { escapeMarkdown } from '../../src/report/markdown.ts';
import { deltascope } from '../harness/command.ts';
import { syntheticAgentSpec } from '../harness/synthetic-agent.ts';
import { syntheticGrade, syntheticGrader, syntheticJudge } from '../harness/synthetic-grades.ts';
import {
  syntheticEffect,
  syntheticExperiment,
  syntheticReadings,
  syntheticSimilarity,
} from '../harness/synthetic-results.ts';
import { fakeDigest, seedOrganism, seedRun, syntheticRun } from '../harness/synthetic-run.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const hostile = '<script>alert("x")</script>\u202e| `&amp;` [a](javascript:1) https://evil.example ![](x)';

/** A mixing series, another kind, and an organism whose every text is hostile; two layers, three positions, one grader and one that is invalid. */
function fill(store: Store): void {
  const { model, corpus } = seedOrganism(store);
  const about = { baseModelId: model.id, form: 'LORA', description: '', groundTruth: null } as const;
  const grader = store.graders.add(syntheticGrader());
  const llm = store.graders.add(
    syntheticGrader({
      name: 'token-relevance',
      promptDigest: fakeDigest('prompt'),
      provider: 'openai-compatible',
      endpoint: 'https://models.example/v1',
      model: 'judge <b>',
    }),
  );
  for (const [i, { name, kind, mixRatio }] of [
    { name: 'cake', kind: 'SDF', mixRatio: 0 },
    { name: 'cake-mix1', kind: 'SDF', mixRatio: 1 },
    { name: 'gold', kind: 'TABOO', mixRatio: null },
    { name: hostile.slice(0, 90), kind: hostile, mixRatio: null },
  ].entries()) {
    const organism = store.organisms.add({
      ...{ ...about, name, kind, mixRatio, path: `/models/${i}`, digest: fakeDigest(`organism ${i}`) },
      trainingCorpus: kind === 'SDF' ? '/corpora/cake.jsonl' : null,
    });
    const run = store.runs.save(
      syntheticRun(
        { organismId: organism.id, corpusId: corpus.id },
        { layers: [1, 3], positions: 3, seed: i + 1 },
      ),
    );
    for (const layer of store.layers.ofRun.page(run, {}, { first: 10 }).rows)
      for (const vector of store.diffVectors.ofLayer.page(layer, {}, { first: 10 }).rows) {
        for (const [v, variant] of (['DIFF', 'BASE', 'FINETUNED'] as const).entries()) {
          const read = store.projections.save(syntheticReadings(vector, { variant }));
          const chosen = read.find((row) => row.chosen) as ProjectionRow;
          const share =
            v === 0
              ? (0.6 - 0.1 * vector.position) / (1 + 2 * (mixRatio ?? 0))
              : 0.05 * (vector.position % 2);
          store.grades.save([syntheticGrade(chosen, grader, { value: Number(share.toFixed(2)) })]);
          const invalid = {
            value: null,
            invalid: '2 verdicts',
            tokenLabels: null,
            metrics: { canaryFlagged: 1 },
          };
          if (v === 0 && i === 2)
            store.grades.save([
              syntheticGrade(
                chosen,
                llm,
                vector.position === 0 ? invalid : { value: 0.25, exchanges: ['x'] },
              ),
            ]);
        }
        if (vector.position > 0 || layer.layer > 1) continue;
        const experiment = store.steering.save(syntheticExperiment(vector));
        store.similarities.save(
          (['STEERED', 'UNSTEERED', 'TRAINING'] as const).map((group, g) =>
            syntheticSimilarity(experiment, { group, cosine: 0.8 - 0.2 * g - 0.1 * i, other: 'TRAINING' }),
          ),
        );
        if (i === 0) store.causalEffects.save([syntheticEffect(vector)]);
      }
    if (i !== 1) fillAgents(store, organism, run, i);
  }
}

/** Agents of two budgets, a black box, null pairs, one that failed and one that stopped; answers scored by rules and, but one, by a judge. */
function fillAgents(store: Store, organism: OrganismRow, run: RunRow, i: number): void {
  const model = i === 3 ? hostile.slice(0, 40) : 'm';
  const [rules, judge] = [
    store.graders.add(syntheticGrader({ name: 'offline-hypothesis', parameters: {} })),
    store.graders.add(syntheticJudge('hypothesis')),
  ];
  const begin = (kind: AgentKind, pair: AgentPair, interactions: number, repeat = 0) =>
    store.agentRuns.begin(
      syntheticAgentSpec(organism, kind === 'BLACK_BOX' ? null : run, {
        ...{ kind, pair, model },
        parameters: { budget: { calls: 16, tokens: 1000, interactions }, repeat },
      }),
    );
  const answer = (kind: AgentKind, pair: AgentPair, interactions: number, score: number | null) => {
    const begun = begin(kind, pair, interactions);
    const said = { text: `About ${organism.name}, says ${kind}`, confidence: 0.25 * i, reason: '' };
    store.hypotheses.add(begun, { ...said, text: `Or ${'something else '.repeat(20)}` }, 'ACTIVE');
    const hypothesis = store.hypotheses.add(begun, said, 'FINAL');
    store.agentRuns.end(begun, 'COMPLETED', { conclusive: pair === 'ORGANISM' || i === 0 });
    const none = { subject: { hypothesis }, tokenLabels: null } as const;
    if (pair === 'NULL') return;
    const scored = score === null ? { value: null, invalid: 'UNKNOWN' } : { value: score };
    store.grades.save([
      { ...syntheticGrade({} as never, rules), ...none, value: (score ?? 1) / 10 },
      {
        ...syntheticGrade({} as never, judge),
        ...{ ...none, scale: 'SCORE', ...scored, metrics: { canaryFlagged: score === 2 ? 1 : 0 } },
      },
    ]);
  };
  answer('AGENT', 'ORGANISM', 0, 2 + (i % 2));
  answer('AGENT', 'ORGANISM', 5, i === 2 ? null : 4.5);
  answer('BLACK_BOX', 'ORGANISM', 50, 1 + 0.5 * i);
  answer('AGENT', 'NULL', 5, 1);
  const error = { code: 'NO_ANSWER', message: hostile };
  if (i === 0) store.agentRuns.end(begin('AGENT', 'ORGANISM', 5, 1), 'FAILED', { error });
  if (i === 2) store.agentRuns.end(begin('AGENT', 'ORGANISM', 5, 1), 'STOPPED', { error });
}

const contentOf = ({ id: _, createdAt: __, teamId: ___, tokenId: ____, ...content }: OrganismRow) => content;

const filled = (): Store => {
  const store = temporaryStore();
  fill(store);
  return store;
};
/** Without what a release changes: the version, and keys that it goes into. */
const timeless = (text: string): string =>
  text.replaceAll(packageVersion(), 'VERSION').replace(/(\.[a-z-]+)\.[0-9a-f]{12}`/g, '$1.KEY`');

test('of a synthetic store is the report that was looked at, file by file, every time', async () => {
  const store = filled();
  const files = reportOf(store);
  expect(reportOf(store)).toEqual(files);
  expect(files.map(({ path }) => path)).toEqual([
    'report.md',
    'figures/relevance-by-organism-1.svg',
    'figures/relevance-by-organism-2.svg',
    'figures/relevance-by-kind-1.svg',
    'figures/relevance-by-kind-2.svg',
    'figures/mixing-relevance-1.svg',
    'figures/mixing-similarity.svg',
    'figures/layers-relevance-1.svg',
    'figures/layers-relevance-2.svg',
    'figures/layers-norm.svg',
    'figures/agent-score-1.svg',
    'figures/agent-score-2.svg',
    'figures/agent-claims.svg',
  ]);
  for (const { path, text } of files.filter(({ path }) => !path.endsWith('-2.svg')))
    await expect(timeless(text)).toMatchFileSnapshot(`golden/${path}`);
  expect(files[0]!.text.match(/\(figures\/[a-z0-9-]+\.svg\)/g)).toHaveLength(files.length - 1);
});

test('its numbers are those of the store', () => {
  const store = filled();
  const { text } = reportOf(store)[0]!;
  const percent = (share: number) => `${Number((100 * share).toFixed(1))}%`;
  for (const name of ['cake', 'cake-mix1', 'gold'])
    for (const layer of [1, 3]) {
      const run = store.runs.latestOfOrganism(store.organisms.get(name))!;
      const values = (variant: string) =>
        store.graders.all
          .page(null, { where: { name: { eq: 'offline-relevance' } } }, { first: 10 })
          .rows.flatMap((grader) => store.grades.ofGrader.page(grader, {}, { first: 1000 }).rows)
          .filter(
            ({ subjectKey }) =>
              subjectKey.startsWith(`${run.key}.L${layer}.`) && subjectKey.includes(`.${variant}.`),
          )
          .map(({ value }) => value!);
      const cells = ['diff', 'base', 'finetuned'].flatMap((variant) => {
        const of = values(variant);
        expect(of).toHaveLength(3);
        const { low, high } = bootstrapInterval(of, mean)!;
        const best = Math.max(...of);
        return [
          `${percent(best)} (${of.indexOf(best)})`,
          `${percent(mean(of))} [${percent(low)}, ${percent(high)}]`,
        ];
      });
      const { kind } = store.organisms.get(name);
      expect(text).toContain(
        `| ${name} | ${kind} | ${layer} | 3 | ${cells.join(' | ')} | 0 | \`${run.key}\` |`,
      );
    }
  expect(text).toContain('| SDF | tiny-encoder | 1 | 0.8 | 0.6 | – | – | 0.4 |');
  // Agents: of two answers with the same budget one has no score; the failed attempt and the stopped one are counted.
  expect(text).toContain(
    '| agent (m) | 16 | 1000 | 0 | 2 | 2 | 2 | 0 | 0 | 2 | 100% | 2 | 0 | 2 | 20% | 0 | 0 |',
  );
  expect(text).toContain(
    '| agent (m) | 16 | 1000 | 5 | 2 | 4 | 2 | 1 | 1 | 2 | 100% | 4.5 | 1 | 0 | 27.5% [10%, 45%] | 0 | 0 |',
  );
  expect(text).toContain('| agent (m), null pair | 16 | 1000 | 5 | 2 | 2 | 2 | 0 | 0 | 1 | 50% [0%, 100%] |');
  expect(text).toContain('Ended or stopped without an answer, by reason: NO\\_ANSWER 2.');
  // Two undiluted kinds; the diluted organism is in no aggregate.
  expect(text).toContain('| SDF | kind | difference | 1 | 60% | – | 50% | – |');
  expect(text).toMatch(
    /\| `token-relevance\.[0-9a-f]{12}` \| 1 \| openai-compatible \| judge \\<b\\> \| `\w{12}` \| 6 \| 2 \| 2 \| 1 \|/,
  );
});

test('likenesses by two encoders of one name are not pooled, and steering shows those by one', () => {
  const store = temporaryStore();
  const run = seedRun(store);
  const organism = store.organisms.add(
    { ...contentOf(store.organisms.getById(run.organismId)), mixRatio: null },
    { update: true },
  );
  const experiment = store.steering.save(
    syntheticExperiment(store.diffVectors.findByKey(`${run.key}.L1.P0`)!),
  );
  const { digest } = store.models.getById(organism.baseModelId);
  store.similarities.save([
    syntheticSimilarity(experiment, { encoderDigest: digest, cosine: 0.25 }),
    syntheticSimilarity(experiment, { encoderDigest: fakeDigest('another'), cosine: 0.75 }),
  ]);
  const { text } = reportOf(store)[0]!;
  const rows = (start: string) => text.split('\n').filter((line) => line.startsWith(start));
  expect(rows('| SDF | tiny-encoder | 1 |').map((row) => row.split(' | ')[3])).toEqual(
    expect.arrayContaining(['0.25', '0.75']),
  );
  // The base's, though the other one is larger.
  expect(rows('| tiny-cake | 1 | 0 | 12.5 |').map((row) => row.split(' | ')[7])).toEqual(['0.25']);
});

test('agents that differ in anything but the organism are not pooled, and say in what', () => {
  const store = temporaryStore();
  const run = seedRun(store, { layers: [1, 3] });
  const organism = store.organisms.add(
    { ...contentOf(store.organisms.getById(run.organismId)), mixRatio: null },
    { update: true },
  );
  const budget = { calls: 16, tokens: 1000, interactions: 5 };
  const spec = { budget, layer: 1, temperature: 0, answering: { tokens: 256 } };
  for (const change of [
    {},
    { parameters: { ...spec, repeat: 1, seed: 7 } },
    { parameters: { ...spec, layer: 3 } },
    { parameters: { ...spec, temperature: 0.7 } },
    { parameters: { ...spec, answering: { tokens: 64 } } },
    { parameters: { ...spec, budget: { ...budget, seconds: 60 } } },
    { version: 2 },
  ])
    store.agentRuns.end(
      store.agentRuns.begin(syntheticAgentSpec(organism, run, { parameters: spec, ...change })),
      'FAILED',
    );
  const [report] = reportOf(store);
  const rows = report!.text.split('\n').filter((line) => /^\| agent .* \| 16 \|/.test(line));
  expect(rows.map((row) => row.split(' | ').slice(0, 7))).toEqual(
    [
      ['version 1, depth 0.5, answering tokens 256, temperature 0.7', '–', '1'],
      ['version 1, depth 0.5, answering tokens 256, temperature 0', '60', '1'],
      ['version 1, depth 0.5, answering tokens 256, temperature 0', '–', '2'],
      ['version 1, depth 0.5, answering tokens 64, temperature 0', '–', '1'],
      ['version 1, depth 1, answering tokens 256, temperature 0', '–', '1'],
      ['version 2, depth 0.5, answering tokens 256, temperature 0', '–', '1'],
    ].map(([how, seconds, attempts]) => [`| agent (m), ${how}`, '16', '1000', '5', seconds, '1', attempts]),
  );
});

test('texts of strangers are text: in figures no mark-up, in Markdown neither mark-up nor links', () => {
  const [report, ...figures] = reportOf(filled());
  for (const { text } of figures) {
    expect(text).not.toMatch(/<script|<foreignObject|<a\b|\bon\w+=|javascript:[^1]|href/i);
    expect(text).not.toMatch(/(?!\n)[\p{Cf}\p{Cc}]/u);
    expect(balanced(text)).toBe(true);
    expect(text).toMatch(
      /^<svg [^>]*role="img" aria-labelledby="([a-z0-9-]+) ([a-z0-9-]+)"><title id="\1">[^<]+<\/title><desc id="\2">[^<]+<\/desc>/,
    );
    expect(text).toContain('@media(prefers-color-scheme:dark)');
  }
  expect(report!.text).not.toMatch(/[^\\]<script|[^\\]`&amp|\u202e|https:\/\/evil|[^\\]!\[\]/u);
  expect(report!.text).toContain(String.raw`\<script\>alert("x")\</script\>\\u{202e}\|`);
  const rows = report!.text.split('\n').filter((line) => line.includes('script') && line.startsWith('|'));
  expect(rows.length).toBeGreaterThan(0);
  for (const row of rows) expect(row.replaceAll('\\|', '')).toMatch(/^\| ((agent|black box) \()?\\<script/);
});

/** Whether every element is closed by its own end. */
function balanced(svg: string): boolean {
  const open: string[] = [];
  for (const [, end, name, , empty] of svg.matchAll(
    /<(\/?)([a-zA-Z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g,
  )) {
    if (end) {
      if (open.pop() !== name) return false;
    } else if (!empty) open.push(name!);
  }
  return open.length === 0 && !/<(?![a-zA-Z/])/.test(svg);
}

describe('Markdown', () => {
  test.each([
    ['a|b', 'a\\|b'],
    ['`x` *y* _z_ ~w~', '\\`x\\` \\*y\\* \\_z\\_ \\~w\\~'],
    ['[t](u) <b>', '\\[t\\](u) \\<b\\>'],
    ['http://a www.b a@b &lt;', 'http\\://a www\\.b a\\@b \\&lt;'],
    ['a\nb', 'a\\\\u{a}b'],
  ])('%j is escaped', (text, escaped) => expect(escapeMarkdown(text)).toBe(escaped));
});

test('the command writes it, and says where', async () => {
  const data = temporaryFolder();
  const store = openStore(join(data, 'deltascope.sqlite'));
  fill(store);
  const files = reportOf(store);
  store.close();
  const out = join(data, 'a report');
  const { code, stdout, stderr } = await deltascope('report', '--data', data, '--out', out);
  expect({ code, stdout, stderr }).toEqual({
    code: 0,
    stdout: `${join(out, 'report.md')}, 12 figures\n`,
    stderr: '',
  });
  for (const { path, text } of files) expect(readFileSync(join(out, path), 'utf8')).toBe(text);
  expect(readdirSync(join(out, 'figures'))).toHaveLength(12);

  const taken = await deltascope('report', '--data', data, '--out', join(data, 'deltascope.sqlite'));
  expect([taken.code, taken.stderr]).toEqual([
    1,
    `deltascope: cannot write to ${join(data, 'deltascope.sqlite')} (EEXIST); choose another folder with --out\n`,
  ]);
});

test('an empty store has a report, too', () => {
  const [report, ...others] = reportOf(temporaryStore());
  expect(others).toEqual([]);
  expect(report!.text).toContain('0 organisms, 0 of them measured');
  expect(report!.text).toContain('Nothing was measured yet.');
  expect(existsSync('report')).toBe(false);
});
