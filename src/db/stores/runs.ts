import { float32Bytes } from '../../lib/float32-bytes.ts';
import { onceEach } from '../../lib/once-each.ts';
import { sha256 } from '../../lib/sha256.ts';
import { cosine, l2Norm } from '../../lib/vector-math.ts';
import type { Connection } from '../connection.ts';
import { runKey } from '../keys.ts';
import { runFields, runJoins, runSorts } from '../filters.ts';
import { type Asked, isOneOf, listing, oneOf } from '../listing.ts';
import { checkRunRecord, runDigest, type RunRecord, type VectorRecord } from '../run-record.ts';
import { finder, inserter } from '../table-sql.ts';
import { tokenWriter, type WriteToken } from '../token-texts.ts';
import { diffVectors } from '../tables/diff-vectors.ts';
import { projections } from '../tables/projections.ts';
import { runLayers } from '../tables/run-layers.ts';
import { runs } from '../tables/runs.ts';
import { vectorData } from '../tables/vector-data.ts';
import { NotFoundError } from '../errors.ts';
import { bindings, listed, visible, withOrganism, type Viewer } from '../visible.ts';
import type { CorpusRow } from './corpora.ts';
import type { ModelRow } from './models.ts';
import type { OrganismRow } from './organisms.ts';

export type RunRow = typeof runs.$inferSelect;

/** What stands in all rows of a run that say what made them. */
interface Made {
  engineVersion: string;
  createdAt: string;
}

export interface RunFilters extends Asked {
  methods?: readonly string[] | null | undefined;
}

export function runStore(
  sqlite: Connection,
  viewer: Viewer,
  organisms: { getById(id: number): OrganismRow },
  models: { getById(id: number): ModelRow },
) {
  /** Runs are seen and listed as their organism is; where that has been found, nothing is left to ask. */
  const [sees, lists] = [visible, listed].map((rule) => withOrganism(viewer, 'runs.organism_id', rule)) as [
    string,
    string,
  ];
  const bound = bindings(viewer);
  const findByKey = finder(sqlite, runs, `key = ? and ${sees}`, bound);
  const findById = finder(sqlite, runs, `id = ? and ${sees}`, bound);
  const newest = finder(sqlite, runs, `organism_id = ? order by created_at desc, key desc limit 1`);
  // everybody’s: a base that anything was measured on keeps its files.
  const anyOfBase = finder(sqlite, runs, 'base_model_id = ? limit 1');
  const insert = {
    run: inserter(sqlite, runs),
    layer: inserter(sqlite, runLayers),
    vector: inserter(sqlite, diffVectors),
    data: inserter(sqlite, vectorData),
    projection: inserter(sqlite, projections),
  };
  const writer = tokenWriter(sqlite);

  const getById = (id: number): RunRow => {
    const row = findById(id);
    if (!row) throw new NotFoundError('run', id);
    return row;
  };
  const get = (key: string): RunRow => {
    const row = findByKey(key);
    if (!row) throw new NotFoundError('run', key);
    return row;
  };

  function saveVector(layerId: number, vector: VectorRecord, made: Made, write: WriteToken): void {
    const { diff, baseMean, finetunedMean } = vector;
    const vectorId = insert.vector({
      ...vector,
      layerId,
      norm: l2Norm(diff),
      baseMeanNorm: l2Norm(baseMean),
      finetunedMeanNorm: l2Norm(finetunedMean),
      cosineBaseFinetuned: cosine(baseMean, finetunedMean),
    });
    for (const [kind, numbers] of [
      ['DIFF', diff],
      ['BASE_MEAN', baseMean],
      ['FINETUNED_MEAN', finetunedMean],
    ] as const) {
      const data = float32Bytes(numbers);
      insert.data({ vectorId, kind, sha256: sha256(data), data });
    }
    for (const projection of vector.projections) {
      const { scale = null, mode = 'EXACT' } = projection;
      const projectionId = insert.projection({
        ...projection,
        ...made,
        vectorId,
        scale,
        mode,
        chosen: projection.chosen ?? scale === null,
        parametersKey: '',
      });
      projection.tokens.forEach((token, rank) => write({ ...token, projectionId, rank }));
    }
  }

  const save = sqlite.transaction((record: RunRecord): RunRow => {
    const key = runKey(record.spec);
    const existing = findByKey(key);
    if (existing) return existing;
    const model = models.getById(organisms.getById(record.organismId).baseModelId);
    checkRunRecord(record, model);
    const made: Made = { engineVersion: record.engineVersion, createdAt: new Date().toISOString() };
    const runId = insert.run({
      ...record,
      ...made,
      certificate: JSON.stringify(record.certificate),
      key,
      baseModelId: model.id,
      dModel: model.dModel,
      digest: runDigest(record),
    });
    const write = writer();
    for (const layer of record.layers) {
      const layerId = insert.layer({ ...layer, runId });
      for (const vector of layer.vectors) saveVector(layerId, vector, made, write);
    }
    return get(key);
  });

  const methodFilter = isOneOf('runs.method', 'methods');
  const asked = { viewer, joins: runJoins(viewer), fields: runFields, sorts: runSorts };
  return {
    findByKey,
    /** Runs by their integer keys, each read once. */
    loader: () => onceEach(getById),
    /** Of something that is seen as the run is. @throws NotFoundError */
    getById,
    /** @throws NotFoundError */
    get,
    latestOfOrganism: (organism: OrganismRow): RunRow | undefined => newest(organism.id),
    existOfBaseModel: (model: ModelRow): boolean => anyOfBase(model.id) !== undefined,
    /**
     * Writes a finished run, all of it or nothing. A run whose key is there already is returned as it stands.
     * @throws InvalidRunError, NotFoundError
     */
    save: (record: RunRecord): RunRow => save.immediate(record),
    all: listing(sqlite, {
      name: 'runs',
      table: runs,
      where: `${lists} and ${methodFilter}`,
      parameters: (_: null, { methods }: RunFilters) => ({ methods: oneOf(methods) }),
      order: ['createdAt', 'key'],
      descending: true,
      ...asked,
      row: (columns) => columns,
    }),
    ofOrganism: listing(sqlite, {
      name: 'organism.runs',
      table: runs,
      where: `organism_id = @organismId and ${methodFilter}`,
      parameters: (organism: OrganismRow, { methods }: RunFilters) => ({
        organismId: organism.id,
        methods: oneOf(methods),
      }),
      order: ['createdAt', 'key'],
      descending: true,
      ...asked,
      row: (columns) => columns,
    }),
    ofCorpus: listing(sqlite, {
      name: 'corpus.runs',
      table: runs,
      where: `corpus_id = @corpusId and ${lists} and ${methodFilter}`,
      parameters: (corpus: CorpusRow, { methods }: RunFilters) => ({
        corpusId: corpus.id,
        methods: oneOf(methods),
      }),
      order: ['createdAt', 'key'],
      descending: true,
      ...asked,
      row: (columns) => columns,
    }),
  };
}
