/** How much more often one text says something than another does. */
export interface LogOdds {
  /** Difference of the log-odds, in nats. */
  difference: number;
  /** The same in its standard errors. */
  z: number;
}

/**
 * Log-odds with an informative Dirichlet prior (Monroe, Colaresi, Quinn 2008, "Fightin' Words", equations 15, 16 and 22 with both
 * corpora as the prior's background). With y counts, n = Σ y, and for each thing w the prior α_w = strength · (y_w + y'_w) / (n + n'):
 *
 *   d_w = log[(y_w + α_w) / (n + α − y_w − α_w)] − log[(y'_w + α_w) / (n' + α − y'_w − α_w)]        α = Σ α_w = strength
 *   z_w = d_w / √(1 / (y_w + α_w) + 1 / (y'_w + α_w))
 *
 * The prior draws what is rare towards no difference, by as much as it is rare.
 * @param strength > 0, of the prior in counts
 * @returns for everything that either corpus has
 */
export function logOdds<Thing>(
  own: ReadonlyMap<Thing, number>,
  other: ReadonlyMap<Thing, number>,
  strength: number,
): Map<Thing, LogOdds> {
  const [n, m] = [sumOf(own), sumOf(other)];
  return new Map(
    [...new Set([...own.keys(), ...other.keys()])].map((thing) => {
      const [y, x] = [own.get(thing) ?? 0, other.get(thing) ?? 0];
      const prior = (strength * (y + x)) / (n + m);
      const difference =
        Math.log((y + prior) / (n + strength - y - prior)) -
        Math.log((x + prior) / (m + strength - x - prior));
      return [thing, { difference, z: difference / Math.sqrt(1 / (y + prior) + 1 / (x + prior)) }];
    }),
  );
}

const sumOf = (counts: ReadonlyMap<unknown, number>): number => {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
};
