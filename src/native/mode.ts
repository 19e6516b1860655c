/**
 * 'compat' takes the published implementation's rounding points, layer rule and masks where they differ from ours
 * (docs/decisions/008); 'exact' is ours.
 */
export type Mode = 'exact' | 'compat';
