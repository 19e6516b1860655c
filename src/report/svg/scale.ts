/** A straight way from amounts to pixels. */
export interface LinearScale {
  (value: number): number;
  ticks: number[];
  domain: [number, number];
}

/** Round numbers, 1, 2 or 5 times a power of ten apart, about `count` of them, that hold the values. */
export function niceTicks(low: number, high: number, count: number): number[] {
  const span = high > low ? high - low : Math.abs(high) || 1;
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough * 0.999) ?? rough;
  const [first, last] = [Math.floor(low / step + 1e-9), Math.ceil(high / step - 1e-9)];
  return Array.from({ length: Math.max(1, last - first) + 1 }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  );
}

export function linearScale(ticks: number[], from: number, to: number): LinearScale {
  const domain: [number, number] = [ticks[0] ?? 0, ticks.at(-1) ?? 1];
  const scale = (value: number) => from + ((value - domain[0]) / (domain[1] - domain[0] || 1)) * (to - from);
  return Object.assign(scale, { ticks, domain });
}
