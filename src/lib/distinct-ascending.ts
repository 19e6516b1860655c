/** Each of the numbers once, the least first. */
export const distinctAscending = (numbers: Iterable<number>): number[] =>
  [...new Set(numbers)].sort((a, b) => a - b);
