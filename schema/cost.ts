/**
 * What a field costs, where the rules do not know it: an object is 1 point and so is every member of a list of objects, a value is
 * nothing and a hundred members of a list of values are 1. A field that returns a list says how long it is; connections have
 * `first` and `last` for that. Names are those of the cost directives of IBM's specification.
 */
export interface FieldCost {
  /** Points of the field itself in place of those, members of a list left out. */
  weight?: number;
  /** Points of each member of a list of values. */
  memberWeight?: number;
  /** Members of a list when no argument says less. */
  assumedSize?: number;
  /** Arguments that say how long the list is at most, by a number or by their own length: the least of those given counts. */
  slicingArguments?: readonly string[];
  /** Points that follow from the arguments, beside all that. */
  ofArguments?: (given: Readonly<Record<string, unknown>>) => number;
}

/** Options of a field that has such a cost. */
export const costs = (cost: FieldCost) => ({ extensions: { cost } });
