import type { Database } from 'better-sqlite3';

/** R1: what the nested query answers, by prepared statements and plain objects alone. */
export function rawNested(sqlite: Database): () => object {
  const organisms = sqlite.prepare('select id, name from organisms order by name limit 10');
  const latest = sqlite.prepare(
    'select id, key from runs where organism_id = ? order by created_at desc, key desc limit 1',
  );
  const layers = sqlite.prepare('select id, layer from run_layers where run_id = ? order by layer limit 10');
  const vectors = sqlite.prepare(
    'select id, position, norm from diff_vectors where layer_id = ? order by position limit 1',
  );
  const projections = sqlite.prepare(
    `select method, scale, sign, score, chosen from projections where vector_id = ?
     order by ${orderOfProjections} limit 10`,
  );
  type Row = Record<string, unknown> & { id: number };
  const edges = (rows: unknown[], node: (row: Row) => object) => ({
    edges: rows.map((row) => ({ node: node(row as Row) })),
  });
  return () => ({
    data: {
      organisms: edges(organisms.all(), ({ id, name }) => {
        const run = latest.get(id) as Row;
        return {
          name,
          latestRun: {
            key: run['key'],
            layers: edges(layers.all(run.id), ({ id, layer }) => ({
              layer,
              diffVectors: edges(vectors.all(id), ({ id, position, norm }) => ({
                position,
                norm,
                projections: edges(projections.all(id), ({ method, scale, sign, score, chosen }) => ({
                  method,
                  scale,
                  sign,
                  score,
                  chosen: chosen === 1,
                })),
              })),
            })),
          },
        };
      }),
    },
  });
}

const orderOfProjections = 'method, variant, sign, scale_order, mode, parameters_key';
