export const modes = ['EXACT', 'COMPAT'] as const;

/** Whose rounding points, layer rule and masks a result follows: our own, or the published implementation's. */
export type Mode = (typeof modes)[number];
