import { canonicalJson, type JsonObject, type JsonValue } from '../../lib/canonical-json.ts';
import { onceEach } from '../../lib/once-each.ts';
import { packageVersion } from '../../lib/package-root.ts';
import type { Connection } from '../connection.ts';
import { checks, leastDivergence } from '../checks.ts';
import { NotFoundError } from '../errors.ts';
import { parametersKey, splitExperimentKey } from '../keys.ts';
import { listing } from '../listing.ts';
import { finder, inserter } from '../table-sql.ts';
import { modes, type Mode } from '../tables/modes.ts';
import { sampleFinishes, samples, type SampleFinish } from '../tables/samples.ts';
import { sampleTexts } from '../tables/sample-texts.ts';
import { steeringExperiments } from '../tables/steering-experiments.ts';
import type { DiffVectorRow } from './diff-vectors.ts';

type Columns = typeof steeringExperiments.$inferSelect;
export type SteeringExperimentRow = Columns & { key: string; diffVector: DiffVectorRow };

/** What decides an experiment, so that it can be looked for before anything is generated. */
export interface SteeringSpec {
  judge: string;
  judgeVersion: number;
  mode: Mode;
  seed: number;
  /** Whatever else decides the texts, such as how many there are of each prompt and the bounds of the search. */
  parameters: JsonObject;
  /** What the model was asked, in the order of the samples' `promptIndex`. */
  prompts: readonly string[];
}

/** A finished experiment. */
export interface NewSteeringExperiment extends Omit<SteeringSpec, 'prompts'> {
  vector: DiffVectorRow;
  /** What the vector was multiplied by. */
  strength: number;
  /** The strength found for each prompt of the search; empty where nothing was searched. */
  thresholds: number[];
  /** `strength` · the finetuned token norm / the mean norm of the residual stream there. */
  normMultiple: number | null;
  klFromUnsteered: number | null;
  /** How texts were decoded, effective values. */
  settings: JsonObject;
  /** Every strength that was tried, and what the judge said. */
  search: JsonValue;
  samples: NewSample[];
}

export interface NewSample {
  /** 0-based, without gaps over an experiment. */
  promptIndex: number;
  prompt: string;
  sampleIndex: number;
  steered: boolean;
  /** 0 when not steered. */
  strength: number;
  text: string;
  tokenIds: number[];
  finish: SampleFinish;
  perplexity: number | null;
  /** What the judge said; null where it was not asked or could not tell. */
  coherent: boolean | null;
}

const keyOf = ({ judgeVersion, mode, seed, parameters, prompts }: SteeringSpec): string =>
  parametersKey({
    judgeVersion,
    mode,
    seed,
    parameters,
    prompts: [...prompts],
    engineVersion: packageVersion(),
  });

const toRow = (columns: Columns, diffVector: DiffVectorRow): SteeringExperimentRow => ({
  ...columns,
  key: `${diffVector.key}.steering.${columns.judge}.${columns.parametersKey}`,
  diffVector,
});

export function steeringExperimentStore(
  sqlite: Connection,
  diffVectors: {
    findByKey(key: string): DiffVectorRow | undefined;
    loader(): (id: number) => DiffVectorRow;
    demand(vector: DiffVectorRow): void;
  },
) {
  const findById = finder(sqlite, steeringExperiments, 'id = ?');
  const findColumns = finder(
    sqlite,
    steeringExperiments,
    'vector_id = ? and judge = ? and parameters_key = ?',
  );
  const insert = {
    experiment: inserter(sqlite, steeringExperiments),
    sample: inserter(sqlite, samples),
    text: inserter(sqlite, sampleTexts),
  };
  const at = (vector: DiffVectorRow, judge: string, key: string): SteeringExperimentRow | undefined => {
    const columns = findColumns(vector.id, judge, key);
    return columns && toRow(columns, vector);
  };

  const save = sqlite.transaction((record: NewSteeringExperiment): SteeringExperimentRow => {
    const { vector, judge, settings } = record;
    const place = `steering by ${vector.key}`;
    check(place, record);
    diffVectors.demand(vector);
    const key = keyOf({ ...record, prompts: promptsOf(place, record.samples) });
    const known = at(vector, judge, key);
    if (known) {
      const [stored, given] = [known.settings, settings].map((each) => canonicalJson(each));
      if (stored !== given)
        checks(place).refuse(
          `${known.key} was decoded with ${stored}, not ${given}; parameters must tell them apart`,
        );
      return known;
    }
    const experimentId = insert.experiment({
      ...record,
      vectorId: vector.id,
      parametersKey: key,
      search: JSON.stringify(record.search),
      engineVersion: packageVersion(),
      createdAt: new Date().toISOString(),
    });
    for (const sample of record.samples) {
      const sampleId = insert.sample({ ...sample, experimentId, tokens: sample.tokenIds.length });
      insert.text({ ...sample, sampleId });
    }
    return at(vector, judge, key) as SteeringExperimentRow;
  });

  return {
    /** The experiment that this engine would make of it, if it is there. */
    find: (vector: DiffVectorRow, spec: SteeringSpec): SteeringExperimentRow | undefined =>
      at(vector, spec.judge, keyOf(spec)),
    findByKey(key: string): SteeringExperimentRow | undefined {
      const parts = splitExperimentKey(key);
      const diffVector = parts && diffVectors.findByKey(parts.diffVector);
      return diffVector && at(diffVector, parts.judge, parts.parametersKey);
    },
    /** Experiments by their integer keys, each and what it belongs to read once. */
    loader(): (id: number) => SteeringExperimentRow {
      const vector = diffVectors.loader();
      return onceEach((id) => {
        const columns = findById(id);
        if (!columns) throw new NotFoundError('steering experiment', id);
        return toRow(columns, vector(columns.vectorId));
      });
    },
    /** @throws NotFoundError for a row of another store. */
    demand(experiment: SteeringExperimentRow): void {
      diffVectors.demand(experiment.diffVector);
      if (at(experiment.diffVector, experiment.judge, experiment.parametersKey)?.id !== experiment.id)
        throw new NotFoundError('steering experiment', experiment.key);
    },
    /**
     * Writes an experiment with its samples, all of it or nothing. One that is there already is returned as it stands.
     * @throws InvalidResultError, NotFoundError
     */
    save: (record: NewSteeringExperiment): SteeringExperimentRow => save.immediate(record),
    ofDiffVector: listing(sqlite, {
      name: 'diffVector.steeringExperiments',
      table: steeringExperiments,
      where: 'vector_id = @vectorId',
      parameters: (diffVector: DiffVectorRow) => ({ vectorId: diffVector.id }),
      order: ['judge', 'parametersKey'],
      row: toRow,
    }),
  };
}

function check(place: string, record: NewSteeringExperiment): void {
  const { name, whole, number, orNull, oneOf, json, refuse } = checks(place);
  name('judge', record.judge);
  whole('judgeVersion', record.judgeVersion, 1);
  oneOf('mode', record.mode, modes);
  whole('seed', record.seed, 0);
  number('strength', record.strength);
  record.thresholds.forEach((value, i) => number(`thresholds[${i}]`, value, 0));
  orNull(record.normMultiple, (value) => number('normMultiple', value));
  orNull(record.klFromUnsteered, (value) => number('klFromUnsteered', value, leastDivergence));
  json('parameters', record.parameters);
  json('settings', record.settings);
  json('search', record.search);
  if (record.samples.length === 0) refuse('there are no samples');
  const places = new Set<string>();
  record.samples.forEach((sample, i) => {
    const { promptIndex, sampleIndex, steered, strength, finish, perplexity, tokenIds } = sample;
    const at = `samples[${i}]`;
    whole(`${at}.promptIndex`, promptIndex, 0);
    whole(`${at}.sampleIndex`, sampleIndex, 0);
    number(`${at}.strength`, strength);
    if (!steered && strength !== 0)
      refuse(`${at} is not steered, and its strength is ${strength} instead of 0`);
    oneOf(`${at}.finish`, finish, sampleFinishes);
    orNull(perplexity, (value) => number(`${at}.perplexity`, value, 0));
    tokenIds.forEach((id, t) => whole(`${at}.tokenIds[${t}]`, id, 0));
    const which = `${steered ? 'steered' : 'unsteered'} sample ${sampleIndex} of prompt ${promptIndex}`;
    if (places.has(which)) refuse(`${at} is a second ${which}`);
    places.add(which);
  });
}

/** The prompts by index. @throws InvalidResultError where one index has two, or none */
function promptsOf(place: string, given: readonly NewSample[]): string[] {
  const { filled, refuse } = checks(place);
  const prompts: string[] = [];
  for (const { promptIndex, prompt } of given) {
    const known = (prompts[promptIndex] ??= prompt);
    if (known !== prompt)
      refuse(`prompt ${promptIndex} is both ${JSON.stringify(known)} and ${JSON.stringify(prompt)}`);
    filled(`prompt ${promptIndex}`, prompt);
  }
  const missing = Array.from(prompts, (prompt) => prompt === undefined).indexOf(true);
  if (missing >= 0) refuse(`prompt ${missing} has no sample, and prompt ${prompts.length - 1} has`);
  return prompts;
}
