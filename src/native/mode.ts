import { invalid } from './tokens.ts';

/**
 * 'compat' takes the published implementation's rounding points and masks where they differ from ours
 * (docs/decisions/008); 'exact' is ours.
 */
export type Mode = 'exact' | 'compat';

/** 'exact' by default. @throws NativeError INVALID_ARGUMENT for anything else */
export function checkedMode(mode: Mode | undefined): Mode {
  if (mode === undefined || mode === 'exact' || mode === 'compat') return mode ?? 'exact';
  throw invalid(`mode is ${JSON.stringify(mode)}; "exact" or "compat" is expected`);
}

const word = new DataView(new ArrayBuffer(4));

/** The bfloat16 nearest to a number's float32, halves to even; NaN stays NaN. */
export function roundToBfloat16(value: number): number {
  word.setFloat32(0, value);
  const bits = word.getUint32(0);
  if ((bits & 0x7fffffff) > 0x7f800000) return NaN;
  word.setUint32(0, (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000);
  return word.getFloat32(0);
}
