import { vectorKinds, type RunPlace, type RunRow, type Stores } from '../db/index.ts';
import { distinctAscending } from '../lib/distinct-ascending.ts';
import { byteLength, int64Bytes, safetensorsHeader, type TensorShape } from '../lib/safetensors.ts';
import { takeTurn } from '../lib/take-turn.ts';
import type { Part } from './serve-body.ts';

/** Raised when the bytes of the same run change. */
const version = '1';

/**
 * A whole run as a safetensors file, from the largest numbers down and by name, as other writers order it:
 *   count           [layers, positions] I64       texts averaged; 0 where the run measured nothing
 *   layers          [layers] I64                  indices of the decoder blocks, 0-based
 *   positions       [positions] I64               token positions, 0-based
 *   base_mean, diff, finetuned_mean               [layers, positions, d_model] F32; NaN where count is 0
 * Nothing that differs between two equal measurements is in it but the key, so key and digest of the run are its identity.
 * Its parts may be gone through once.
 * @returns undefined once nobody waits for it any more
 */
export async function runTensors(
  store: Pick<Stores, 'runVectors' | 'vectors'>,
  run: RunRow,
  isWanted: () => boolean,
): Promise<{ byteLength: number; parts: Iterable<Part> } | undefined> {
  const places: RunPlace[] = [];
  for (const page of store.runVectors.pagesOf(run)) {
    places.push(...page);
    await takeTurn();
    if (!isWanted()) return undefined;
  }
  const layers = distinctAscending(places.map(({ layer }) => layer));
  const positions = distinctAscending(places.map(({ position }) => position));
  const byPlace = new Map(places.map((place) => [`${place.layer}.${place.position}`, place]));
  const grid = layers.flatMap((layer) =>
    positions.map((position) => byPlace.get(`${layer}.${position}`) ?? { layer, position }),
  );

  const axes = [layers.length, positions.length];
  const tensors: TensorShape[] = [
    { name: 'count', dtype: 'I64', shape: axes },
    { name: 'layers', dtype: 'I64', shape: [layers.length] },
    { name: 'positions', dtype: 'I64', shape: [positions.length] },
    ...kinds.map(({ name }): TensorShape => ({ name, dtype: 'F32', shape: [...axes, run.dModel] })),
  ];
  const whole = (bytes: Buffer): Part => ({ byteLength: bytes.length, read: () => bytes });
  const vectorBytes = 4 * run.dModel;
  const nothing = Buffer.from(new Float32Array(run.dModel).fill(NaN).buffer);
  const header = safetensorsHeader(tensors, metadataOf(run));
  function* parts(): Generator<Part> {
    yield whole(header);
    yield whole(int64Bytes(grid.map((place) => ('samples' in place ? place.samples : 0))));
    yield whole(int64Bytes(layers));
    yield whole(int64Bytes(positions));
    for (const { kind, name } of kinds) {
      for (const place of grid) {
        if (!('vectors' in place)) yield whole(nothing);
        else {
          const key = `${run.key}.L${place.layer}.P${place.position}/${name}`;
          const read = () => store.vectors.read({ key, ...place.vectors[kind] });
          yield { byteLength: vectorBytes, read };
        }
      }
    }
  }
  return {
    byteLength: header.length + tensors.reduce((sum, tensor) => sum + byteLength(tensor), 0),
    parts: parts(),
  };
}

const kinds = vectorKinds
  .map((kind) => ({ kind, name: kind.toLowerCase() }))
  .sort((a, b) => (a.name < b.name ? -1 : 1));

const metadataOf = (run: RunRow): Record<string, string> => ({
  format: 'deltascope-run',
  format_version: version,
  key: run.key,
  digest: run.digest,
  method: run.method,
  method_version: String(run.methodVersion),
  base_digest: run.baseDigest,
  finetuned_digest: run.finetunedDigest,
  corpus_digest: run.corpusDigest,
  tokens_digest: run.tokensDigest,
  samples: String(run.samples),
  compute_dtype: run.computeDtype,
  accumulate_dtype: run.accumulateDtype,
  store_dtype: run.storeDtype,
  parameters: JSON.stringify(run.parameters),
});
