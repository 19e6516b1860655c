/** How many standard deviations of the swapped norms a norm must lie above their mean. */
export const deviations = 5;

/** The rule in words, for whoever reads its answers. */
export const noiseRule = `norm > swapNormMean + ${deviations} · swapNormDeviation: longer than the means that come out when base and finetuned are swapped at random, text by text`;

export interface NoiseStatistics {
  norm: number | null;
  /** Mean and standard deviation of the norm under random swaps; null or absent where no swaps were measured. */
  swapNormMean?: number | null | undefined;
  swapNormDeviation?: number | null | undefined;
}

/** Whether a mean difference is more than what chance makes of these texts. Null where any of the three numbers is not finite. */
export function aboveNoise({ norm, swapNormMean, swapNormDeviation }: NoiseStatistics): boolean | null {
  const floor = (swapNormMean ?? NaN) + deviations * (swapNormDeviation ?? NaN);
  return norm === null || !Number.isFinite(norm) || !Number.isFinite(floor) ? null : norm > floor;
}
