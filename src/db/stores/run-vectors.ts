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

export function runVectorStore(sqlite: Connection) {
  const ofRun = sqlite.raw(
    `select layer, position, diff_vectors.samples as samples, kind, data.id as dataId, sha256
     from run_layers join diff_vectors on layer_id = run_layers.id join vector_data as data on vector_id = diff_vectors.id
     where run_id = ? order by layer, position`,
  );
  return {
    /** By layer, then position. */
    ofRun(run: RunRow): RunPlace[] {
      const places: RunPlace[] = [];
      for (const row of ofRun.iterate(run.id)) {
        const [layer, position, samples, kind, dataId, sha256] = row as [
          number,
          number,
          number,
          VectorKind,
          number,
          string,
        ];
        let place = places.at(-1);
        if (place?.layer !== layer || place.position !== position) {
          place = { layer, position, samples, vectors: {} as RunPlace['vectors'] };
          places.push(place);
        }
        place.vectors[kind] = { dataId, sha256 };
      }
      return places;
    },
  };
}
