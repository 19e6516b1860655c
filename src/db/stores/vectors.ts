import type { Statement } from 'better-sqlite3';
import type { ByteLru } from '../../lib/byte-lru.ts';
import { sha256 } from '../../lib/sha256.ts';
import type { Connection } from '../connection.ts';
import { NotFoundError, StoreError } from '../errors.ts';
import { slug, splitDiffVectorKey, splitLayerKey, splitVectorKey } from '../keys.ts';
import type { VectorKind } from '../tables/vector-data.ts';
import type { DiffVectorRow } from './diff-vectors.ts';
import type { RunRow } from './runs.ts';
import { bindings, listed, visible, type Viewer } from '../visible.ts';

/** Where the numbers of a vector are. */
export interface VectorHead {
  key: string;
  dataId: number;
  sha256: string;
  byteLength: number;
}

/** One vector of numbers, without the numbers. */
export interface VectorRow extends VectorHead {
  kind: VectorKind;
  diffVector: DiffVectorRow;
}

/** Numbers of vectors that have been read and found to be what was saved, by their SHA-256. */
export type CheckedVectors = ByteLru<Buffer>;

/** Enough of a diff to read its numbers and to find its place. */
export interface DiffHead {
  key: string;
  /** Key of the diff vector. */
  place: string;
  dataId: number;
  sha256: string;
}

export interface NeighbourFilters {
  /** Only vectors of finetunes of the same base. */
  sameBase: boolean;
  /** Only vectors of the same layer. */
  sameLayer: boolean;
}

/** Run, layer, position and kind that a key names; empty for what is no key of a vector. */
function placeOf(key: string): [] | [string, number, number, VectorKind] {
  const parts = splitVectorKey(key);
  const place = parts && splitDiffVectorKey(parts.diffVector);
  const layer = place && splitLayerKey(place.layer);
  return layer ? [layer.run, layer.layer, place.position, parts.kind] : [];
}

export function vectorStore(
  sqlite: Connection,
  viewer: Viewer,
  diffVectors: { findByKey(key: string): DiffVectorRow | undefined },
  checked: CheckedVectors,
) {
  const head = sqlite.prepare(
    'select id as dataId, sha256, length(data) as byteLength from vector_data where vector_id = ? and kind = ?',
  );
  // All keys in one statement: beginning and ending one costs several times what it takes to find a row.
  const headsByPlace = sqlite.raw(
    `with asked as (select key as at, value ->> 0 as run, value ->> 1 as layer, value ->> 2 as position, value ->> 3 as kind from json_each(@keys))
     select at, data.id, sha256, length(data)
     from asked join runs on runs.key = asked.run join organisms on organisms.id = organism_id
       join run_layers on run_id = runs.id and run_layers.layer = asked.layer
       join diff_vectors on layer_id = run_layers.id and diff_vectors.position = asked.position
       join vector_data as data on vector_id = diff_vectors.id and data.kind = asked.kind
     where ${visible(viewer, 'organisms')}`,
  );
  const body = sqlite.pluck('select data from vector_data where id = ?');
  // everybody’s: the ids are those of rows that the viewer was given.
  const bodies = sqlite.raw(
    'select asked.key, data from json_each(?) as asked left join vector_data on vector_data.id = asked.value',
  );
  const ofOthers = (base: string, layer: string) =>
    sqlite.prepare(
      `select runs.key || '.L' || layer || '.P' || position as place, data.id as dataId, data.sha256 as sha256
       from runs join organisms on organisms.id = organism_id join run_layers on run_layers.run_id = runs.id join diff_vectors on layer_id = run_layers.id
         join vector_data as data on vector_id = diff_vectors.id and data.kind = 'DIFF'
       where d_model = @width and ${listed(viewer, 'organisms')} and organism_id <> @organismId ${base} ${layer}
       order by runs.key, layer, position`,
    );
  const ofRun = sqlite.prepare(
    `select layer, position, data.id as dataId, data.sha256 as sha256
     from run_layers join diff_vectors on layer_id = run_layers.id
       join vector_data as data on vector_id = diff_vectors.id and data.kind = 'DIFF'
     where run_id = ? order by layer, position`,
  );
  const others = [false, true].map((sameBase) =>
    [false, true].map((sameLayer) =>
      ofOthers(
        sameBase ? 'and runs.base_model_id = @baseModelId' : '',
        sameLayer ? 'and layer = @layer' : '',
      ),
    ),
  );
  const find = (diffVector: DiffVectorRow, kind: VectorKind): VectorRow | undefined => {
    const found = head.get(diffVector.id, kind) as
      Pick<VectorRow, 'dataId' | 'sha256' | 'byteLength'> | undefined;
    return found && { ...found, key: `${diffVector.key}/${slug(kind)}`, kind, diffVector };
  };
  type Stored = Pick<VectorHead, 'key' | 'dataId' | 'sha256'>;
  const verify = (vector: Stored, data: Buffer | null): Buffer => {
    if (data && sha256(data) === vector.sha256) return data;
    throw new StoreError(
      'STORE_CORRUPT',
      sqlite.name,
      `vector ${vector.key} no longer has its SHA-256 ${vector.sha256}`,
    );
  };
  return {
    find,
    /** @throws NotFoundError */
    get(diffVector: DiffVectorRow, kind: VectorKind): VectorRow {
      const vector = find(diffVector, kind);
      if (!vector) throw new NotFoundError('vector', `${diffVector.key}/${slug(kind)}`);
      return vector;
    },
    findByKey(key: string): VectorRow | undefined {
      const parts = splitVectorKey(key);
      const diffVector = parts && diffVectors.findByKey(parts.diffVector);
      return diffVector && find(diffVector, parts.kind);
    },
    /** Where the numbers of these vectors are, in the order of the keys; undefined for each that is not there. */
    locate(keys: readonly string[]): (VectorHead | undefined)[] {
      const heads = new Array<VectorHead | undefined>(keys.length);
      const rows = headsByPlace.iterate({
        ...bindings(viewer),
        keys: JSON.stringify(keys.map(placeOf)),
      });
      for (const row of rows as Iterable<[number, number, string, number]>) {
        const [at, dataId, sha256, byteLength] = row;
        heads[at] = { key: keys[at] as string, dataId, sha256, byteLength };
      }
      return heads;
    },
    /** The diffs of a run, by layer and position. */
    diffsOfRun: (run: RunRow): DiffHead[] =>
      (ofRun.all(run.id) as { layer: number; position: number; dataId: number; sha256: string }[]).map(
        ({ layer, position, ...data }) => {
          const place = `${run.key}.L${layer}.P${position}`;
          return { ...data, place, key: `${place}/${slug('DIFF')}` };
        },
      ),
    /** The diffs of other organisms that have this width, by run, layer and position, one after the other as they are asked for. */
    *ofOtherOrganisms(
      { layer: { layer, run } }: DiffVectorRow,
      { sameBase, sameLayer }: NeighbourFilters,
    ): Generator<DiffHead> {
      const { dModel: width, organismId, baseModelId } = run;
      const statement = others[Number(sameBase)]?.[Number(sameLayer)] as Statement;
      const heads = statement.iterate({ ...bindings(viewer), width, organismId, baseModelId, layer });
      for (const head of heads as Iterable<Omit<DiffHead, 'key'>>)
        yield { ...head, key: `${head.place}/${slug('DIFF')}` };
    },
    /**
     * The numbers, little-endian float32; not to be written to. Checked against their digest when they come from the file (about
     * 10 µs for 16 KiB); the ones read last stay in memory.
     * @throws StoreError STORE_CORRUPT when the bytes are not the ones that were saved.
     */
    read(vector: Stored): Buffer {
      const known = checked.get(vector.sha256);
      if (known) return known;
      const data = verify(vector, body.get(vector.dataId) as Buffer);
      checked.set(vector.sha256, data, data.length);
      return data;
    },
    /**
     * The numbers of many, each with its place among those asked for, checked like those of one; in one statement, and none stays in
     * memory. @throws StoreError STORE_CORRUPT
     */
    *readEach(vectors: readonly Stored[]): Generator<[index: number, data: Buffer]> {
      const rows = bodies.iterate(JSON.stringify(vectors.map(({ dataId }) => dataId)));
      for (const [index, data] of rows as Iterable<[number, Buffer | null]>)
        yield [index, verify(vectors[index] as Stored, data)];
    },
  };
}
