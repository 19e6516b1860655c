import type { ModelHandle, NativeInterventionKind } from './addon.ts';
import { handleOf, type Model } from './model.ts';
import { invalid, whole } from './tokens.ts';

/** A change of the residual stream after block `layer`, at every token. */
export type Intervention = {
  /** Decoder block, 0-based. */
  layer: number;
  /** [dModel]: what is added, or a direction v̂ of any length above 0. */
  vector: ArrayLike<number>;
} & (
  | {
      /** 'add': h + vector. 'remove': h − (h·v̂) v̂. */
      kind: 'add' | 'remove';
    }
  | {
      /** 'swap': the component along v̂ becomes that of another model on the same tokens. */
      kind: 'swap';
      source: Model;
    }
);

export interface NativeIntervention {
  kind: NativeInterventionKind;
  layer: number;
  vector: Float32Array;
  source: ModelHandle | null;
}

/** As the addon takes it; undefined is no intervention. The engine checks layer and width. @throws NativeError INVALID_ARGUMENT */
export function nativeIntervention(intervention: Intervention | undefined): NativeIntervention {
  if (intervention === undefined) return { kind: 'none', layer: 0, vector: new Float32Array(), source: null };
  if (typeof intervention !== 'object' || (intervention as unknown) === null) {
    throw invalid('an intervention must be an object with kind, layer and vector');
  }
  const { kind, layer, vector } = intervention;
  if (!['add', 'remove', 'swap'].includes(kind)) {
    throw invalid(`the intervention is ${JSON.stringify(kind)}; "add", "remove" or "swap" is expected`);
  }
  whole('layer', layer, 0);
  if (
    typeof (vector as unknown) !== 'object' ||
    !Number.isSafeInteger((vector as { length?: unknown } | null)?.length)
  ) {
    throw invalid('vector must be a list of numbers');
  }
  return {
    kind,
    layer,
    vector: Float32Array.from(vector),
    source: kind === 'swap' ? handleOf(intervention.source, 'source') : null,
  };
}
