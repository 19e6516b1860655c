import type { Connection } from '../connection.ts';
import type { VectorKind } from '../tables/vector-data.ts';
import type { RunRow } from './runs.ts';

/** Where the three vectors of one place of a run are, without their numbers. */
export interface RunPlace {
  layer: number;
  position: number;
  samples: number;
  vectors: Record<VectorKind, { dataId: number; sha256: string }>;
}

/** Places that are read in one go: a millisecond or two. */
const pageSize = 256;

export function runVectorStore(sqlite: Connection) {
  const counted = sqlite.pluck(
    'select count(*) from run_layers join diff_vectors on layer_id = run_layers.id where run_id = ?',
  );
  const layersOf = sqlite.prepare('select id, layer from run_layers where run_id = ? order by layer');
  const page = sqlite.raw(
    `with page as (select id, position, samples from diff_vectors where layer_id = @layerId and position > @after order by position limit ${pageSize})
     select position, samples, kind, data.id, sha256 from page join vector_data as data on vector_id = page.id order by position`,
  );
  function pageOf({ id, layer }: { id: number; layer: number }, after: number): RunPlace[] {
    const places: RunPlace[] = [];
    for (const row of page.iterate({ layerId: id, after })) {
      const [position, samples, kind, dataId, sha256] = row as [number, number, VectorKind, number, string];
      let place = places.at(-1);
      if (place?.position !== position) {
        place = { layer, position, samples, vectors: {} as RunPlace['vectors'] };
        places.push(place);
      }
      place.vectors[kind] = { dataId, sha256 };
    }
    return places;
  }
  return {
    /** Places that the run measured. */
    count: (run: RunRow): number => counted.get(run.id) as number,
    /** By layer, then position, some at a time; the store may be used for other things in between. */
    *pagesOf(run: RunRow): Generator<RunPlace[]> {
      for (const layer of layersOf.all(run.id) as { id: number; layer: number }[]) {
        let after = -1;
        for (;;) {
          const places = pageOf(layer, after);
          if (places.length > 0) yield places;
          if (places.length < pageSize) break;
          after = (places.at(-1) as RunPlace).position;
        }
      }
    },
  };
}
