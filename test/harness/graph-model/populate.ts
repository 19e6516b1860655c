import { gradedKey as keyOfSubject } from './keys.ts';
import { above, type Row, type Table, type Value, World } from './world.ts';

/** Numbers that sort badly: none, equal ones, the ends, what rounds, both zeros. */
const reals: Value[] = [null, null, 0, -0, 1, 1, 1, 0.1 + 0.2, 5e-324, -1.5, 1e308, Infinity, -Infinity];
const texts = ['a', 'B', 'ä', '%', '_', '%_\\', "it's", 'a"b', ' a', '\uff5e', '𝔘'];
const tokens = [' bake', ' baked', 'bake', 'Bake', ' ba', '%', '_', '"', "'", ' 𝔘', 'ä', ' a*b', null];
const hours = ['10', '11', '12'].map((hour) => `2026-11-24T${hour}:00:00.000Z`);

/** The row of each table whose lists are read. */
export type Main = Record<
  | 'base'
  | 'corpus'
  | 'organism'
  | 'run'
  | 'layer'
  | 'vector'
  | 'projection'
  | 'experiment'
  | 'sample'
  | 'grader',
  Row
>;

/** Of the main grader, which has no newer one of its name beside it. */
export const newestVersion = 9;

export interface Populated {
  world: World;
  main: Main;
  /** Adds a row to a table, most often below the main one. */
  spawn: (table: Table) => Row;
  pick: <T>(from: readonly T[]) => T;
}

/** A world with one way down from a base to a sample, each row of it with siblings of all sorts. */
export function populate(random: () => number): Populated {
  const world = new World();
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const main = {} as Main;
  const hex = (digits: number) =>
    (Math.floor(random() * 2 ** 32).toString(16) + world.fresh().toString(16).padStart(8, '0'))
      .slice(-digits)
      .padStart(digits, '0');
  const named = () => `${pick(texts)}${world.fresh()}`;
  const ranks = new Map<Row, number>(); // none is given twice, so that an id is one row's for good
  /** The main row, or any other. */
  const parent = (known: keyof Main, table: Table): Row =>
    random() < 0.7 ? main[known] : pick(world.rows(table));
  const norms = () => {
    const norm = pick(reals);
    const measured = Number.isFinite(norm) && random() < 0.8;
    return {
      norm,
      swap_norm_mean: measured ? pick([0, 0.5, 1, null]) : null,
      swap_norm_deviation: measured ? pick([0, 0.1, 1e308]) : null,
    };
  };

  const verdict = () =>
    pick([
      { scale: 'LABEL', label: pick(texts), value: null, invalid: null },
      ...reals
        .filter((value) => value !== null)
        .map((value) => ({ scale: pick(['SHARE', 'SCORE']), label: null, value, invalid: null })),
      { scale: 'SHARE', label: null, value: null, invalid: pick(texts) },
    ]);

  const about = (): Record<string, Row> => {
    const [name, row] = pick(
      (['organism', 'run', 'vector'] as const).map((kind) => [kind, main[kind]] as const),
    );
    return { [name]: row };
  };

  const spawners: Record<Table, () => Row> = {
    models: () => world.add('models', { name: named() }),
    corpora: () => world.add('corpora', { name: named() }),
    organisms: () =>
      world.add(
        'organisms',
        {
          name: named(),
          kind: pick(['SDF', 'SDF', 'EM', 'TABOO', '%', '_']),
          form: pick(['LORA', 'FULL']),
          description: pick(texts),
          ground_truth: pick([null, ...texts]),
          mix_ratio: pick(reals),
          created_at: pick(hours),
        },
        { base: parent('base', 'models') },
      ),
    runs: () => {
      const organism = parent('organism', 'organisms');
      return world.add(
        'runs',
        {
          key: hex(20),
          method: pick(['activation-difference', 'other']),
          samples: pick([1, 9, 9, 2 ** 31 - 1]),
          parameters: pick(['{}', '{"mode":"COMPAT"}']),
          certificate: modules,
          duration_ms: pick(reals.filter((value) => value !== null)),
          created_at: pick(hours),
        },
        { organism, base: organism.up['base']!, corpus: parent('corpus', 'corpora') },
      );
    },
    run_layers: () =>
      world.add(
        'run_layers',
        {
          layer: world.fresh(),
          relative_depth: pick([0, 0.5, 0.5, 1]),
          base_norm: pick([null, 0, -1, 1, 2]), // below 0 for a quotient that is -0
        },
        { run: parent('run', 'runs') },
      ),
    diff_vectors: () =>
      world.add(
        'diff_vectors',
        {
          position: world.fresh(),
          samples: pick([1, 9]),
          standard_error_norm: pick(reals),
          split_half_cosine: pick([null, -1, 0, 0.5, 0.5, 1]),
          cosine_base_finetuned: pick(reals),
          base_mean_norm: pick(reals),
          ...norms(),
        },
        { layer: parent('layer', 'run_layers') },
      ),
    projections: () =>
      world.add(
        'projections',
        {
          method: pick(['logit-lens', 'patchscope']),
          variant: pick(['DIFF', 'BASE']),
          sign: pick(['PROMOTED', 'SUPPRESSED']),
          scale: pick([null, 0.5, 0.7, 20, 0.1 + 0.2]),
          chosen: pick([0, 1]),
          score: pick(reals),
          mode: pick(['EXACT', 'COMPAT']),
          created_at: pick(hours),
          parameters_key: hex(12),
        },
        { vector: parent('vector', 'diff_vectors') },
      ),
    projection_tokens: () => {
      const projection = random() < 0.1 ? spawners.projections() : parent('projection', 'projections');
      const rank = ranks.get(projection) ?? 0;
      ranks.set(projection, rank + 1);
      return world.add(
        'projection_tokens',
        { rank, token_id: 5, text: pick(tokens), probability: pick([null, 0, 0.5, 0.5, 1]) },
        { projection },
      );
    },
    causal_effects: () =>
      world.add(
        'causal_effects',
        {
          direction: pick(['BASE_TO_FINETUNED', 'ZERO_BASE']),
          subset: pick(['ALL', 'AFTER_K']),
          control: pick(['NONE', 'RANDOM']),
          parameters_key: hex(12),
        },
        { vector: parent('vector', 'diff_vectors') },
      ),
    principal_components: () =>
      world.add(
        'principal_components',
        { parameters_key: hex(12) },
        { vector: parent('vector', 'diff_vectors') },
      ),
    divergences: () =>
      world.add(
        'divergences',
        { position: pick([0, 1, 2]), parameters_key: hex(12) },
        { run: parent('run', 'runs') },
      ),
    steering_experiments: () =>
      world.add(
        'steering_experiments',
        { judge: pick(['fluency', 'other']), parameters_key: hex(12) },
        { vector: parent('vector', 'diff_vectors') },
      ),
    samples: () =>
      world.add(
        'samples',
        { prompt_index: pick([0, 1]), steered: pick([0, 1]), sample_index: world.fresh() },
        { experiment: parent('experiment', 'steering_experiments') },
      ),
    similarities: () =>
      world.add(
        'similarities',
        {
          text_group: pick(['STEERED', 'UNSTEERED']),
          other_group: pick(['TRAINING', 'PROBE']),
          parameters_key: hex(12),
        },
        { experiment: parent('experiment', 'steering_experiments') },
      ),
    graders: () => {
      const name = pick(['offline-relevance', 'coherence']);
      const asked = random() < 0.5;
      return world.add('graders', {
        key: `${name}.${hex(12)}`,
        name,
        version: pick([1, 1, 2, 3]),
        prompt_digest: asked ? pick(['p', 'q']) : null,
        provider: asked ? 'local' : null,
        endpoint: asked ? 'd' : null,
        model: asked ? pick(['m', 'n']) : null,
        created_at: pick(hours),
      });
    },
    grades: () => {
      const subject = pick([
        { projection: parent('projection', 'projections') },
        { projection: pick(world.rows('projections')) },
        { sample: parent('sample', 'samples') },
      ]);
      const vector = subject.projection?.up['vector'] ?? subject.sample?.up['experiment']?.up['vector'];
      return world.add(
        'grades',
        {
          ...verdict(),
          subject_key: keyOfSubject(subject),
          created_at: pick(hours),
          parameters_key: hex(12),
        },
        {
          ...subject,
          grader: parent('grader', 'graders'),
          organism: above(vector!, 'layer.run.organism')!,
        },
      );
    },
    notes: () => world.add('notes', { key: hex(20), created_at: pick(hours) }, about()),
    jobs: () =>
      world.add('jobs', {
        key: hex(20),
        identity: hex(20),
        kind: pick(['run', 'projection']),
        state: pick(['QUEUED', 'COMPLETED', 'ERROR']),
        created_at: pick(hours),
      }),
    agent_runs: () =>
      world.add(
        'agent_runs',
        {
          key: hex(20),
          kind: pick(['AGENT', 'BLACK_BOX', 'OFFLINE']),
          pair: pick(['ORGANISM', 'NULL']),
          model: pick(['m', 'n', null]),
          state: pick(['RUNNING', 'COMPLETED', 'FAILED']),
          conclusive: pick([0, 1, null]),
          calls: pick([1, 2, 5]),
          reply_tokens: pick([0, 10]),
          interactions: pick([0, 3]),
          created_at: pick(hours),
        },
        { organism: parent('organism', 'organisms') },
      ),
  };
  const spawn = (table: Table): Row => spawners[table]();

  main.base = spawn('models');
  main.corpus = spawn('corpora');
  main.organism = spawn('organisms');
  main.run = spawn('runs');
  main.layer = spawn('run_layers');
  main.vector = spawn('diff_vectors');
  main.projection = spawn('projections');
  main.experiment = spawn('steering_experiments');
  main.sample = spawn('samples');
  main.grader = world.add('graders', {
    key: `offline-relevance.${hex(12)}`,
    name: 'offline-relevance',
    version: newestVersion,
    created_at: hours[0]!,
  });
  for (const row of Object.values(main)) row.children++; // these stay
  for (const table of Object.keys(spawners) as Table[]) {
    for (let n = 0; n < 20; n++) spawn(table);
  }
  return { world, main, spawn, pick };
}

/** Modules of an adapter, for the one list that is no table. */
const moduleNames = Array.from({ length: 25 }, (_, n) => `layers.${n}.mlp.up_proj`);
const modules = JSON.stringify({
  sharedWeights: true,
  adapter: {
    kind: 'LORA',
    parameters: 5,
    baseName: null,
    modules: moduleNames.map((module) => ({ module, changeNorm: 1, replaced: false })),
  },
  vocabularySizes: { base: 5, finetuned: 5 },
  notFinite: { activations: 0, baseWeights: 0, finetunedWeights: 0 },
  selection: { rowsRead: 1, skippedEmpty: 0, skippedShort: 0 },
  unknownConfigKeys: { base: [], finetuned: [] },
  warnings: [],
});
