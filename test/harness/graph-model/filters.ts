import { above, at, compareValues, type Row, type Value, type World } from './world.ts';

/** A condition as a client sends it. */
export type Condition = Record<string, unknown>;
type Kind = 'text' | 'moment' | 'whole' | 'real' | 'yes' | 'enum';

/** What a field of a filter is about: a value of the row, the row above it, or rows below it. */
export type Field =
  | { kind: Kind; value: (row: Row) => Value }
  | { kind: 'above'; path: string; fields: () => Fields }
  | { kind: 'vectors' }
  | { kind: 'tokens' }
  | { kind: 'grades' };
export type Fields = Readonly<Record<string, Field>>;

const field = (kind: Kind, path: string): Field => ({ kind, value: (row) => at(row, path) });
const computed = (kind: Kind, value: (row: Row) => Value): Field => ({ kind, value });

const finite = (value: number): number | null => (Number.isNaN(value) ? null : value);
const number = (value: Value): number => (value === null ? NaN : Number(value));

/** norm / baseNorm; null without either, or by 0. */
export const relativeNorm = (vector: Row): Value => {
  const base = number(at(vector, 'layer.base_norm'));
  return base === 0 ? null : finite(number(at(vector, 'norm')) / base);
};

const aboveNoise = (vector: Row): Value => {
  const floor = number(at(vector, 'swap_norm_mean')) + 5 * number(at(vector, 'swap_norm_deviation'));
  const norm = at(vector, 'norm');
  return norm === null || !Number.isFinite(floor) ? null : Number(Number(norm) > floor);
};

/** Milliseconds since 1970. */
const createdAt = computed('moment', (row) => Date.parse(String(at(row, 'created_at'))));

export const organismFields: Fields = {
  name: field('text', 'name'),
  kind: field('text', 'kind'),
  form: field('enum', 'form'),
  description: field('text', 'description'),
  groundTruth: field('text', 'ground_truth'),
  mixRatio: field('real', 'mix_ratio'),
  digest: field('text', 'digest'),
  createdAt,
  baseModel: field('text', 'base.name'),
  diffVectors: { kind: 'vectors' },
  topTokens: { kind: 'tokens' },
  grades: { kind: 'grades' },
};

export const runFields: Fields = {
  key: field('text', 'key'),
  digest: field('text', 'digest'),
  method: field('text', 'method'),
  mode: computed(
    'enum',
    (run) => (JSON.parse(String(at(run, 'parameters'))) as { mode?: string }).mode ?? 'EXACT',
  ),
  positions: field('whole', 'positions'),
  samples: field('whole', 'samples'),
  computeDtype: field('text', 'compute_dtype'),
  engineVersion: field('text', 'engine_version'),
  device: field('text', 'device'),
  durationMs: field('real', 'duration_ms'),
  createdAt,
  corpus: field('text', 'corpus.name'),
  organism: { kind: 'above', path: 'organism', fields: () => organismFields },
  diffVectors: { kind: 'vectors' },
  topTokens: { kind: 'tokens' },
  grades: { kind: 'grades' },
};

export const diffVectorFields: Fields = {
  layer: field('whole', 'layer.layer'),
  relativeDepth: field('real', 'layer.relative_depth'),
  position: field('whole', 'position'),
  samples: field('whole', 'samples'),
  norm: field('real', 'norm'),
  relativeNorm: computed('real', relativeNorm),
  baseMeanNorm: field('real', 'base_mean_norm'),
  finetunedMeanNorm: field('real', 'finetuned_mean_norm'),
  standardErrorNorm: field('real', 'standard_error_norm'),
  splitHalfCosine: field('real', 'split_half_cosine'),
  cosineBaseFinetuned: field('real', 'cosine_base_finetuned'),
  aboveNoise: computed('yes', aboveNoise),
  run: { kind: 'above', path: 'layer.run', fields: () => runFields },
  topTokens: { kind: 'tokens' },
  grades: { kind: 'grades' },
};

export const projectionFields: Fields = {
  method: field('text', 'method'),
  methodVersion: field('whole', 'method_version'),
  variant: field('enum', 'variant'),
  sign: field('enum', 'sign'),
  scale: field('real', 'scale'),
  chosen: field('yes', 'chosen'),
  score: field('real', 'score'),
  mode: field('enum', 'mode'),
  createdAt,
  diffVector: { kind: 'above', path: 'vector', fields: () => diffVectorFields },
  topTokens: { kind: 'tokens' },
  grades: { kind: 'grades' },
};

export const agentRunFields: Fields = {
  key: field('text', 'key'),
  kind: field('enum', 'kind'),
  pair: field('enum', 'pair'),
  version: field('whole', 'version'),
  provider: field('text', 'provider'),
  model: field('text', 'model'),
  state: field('enum', 'state'),
  errorCode: field('text', 'error_code'),
  conclusive: field('yes', 'conclusive'),
  calls: field('whole', 'calls'),
  interactions: field('whole', 'interactions'),
  createdAt,
  organism: { kind: 'above', path: 'organism', fields: () => organismFields },
};

export const graderFields: Fields = {
  key: field('text', 'key'),
  name: field('text', 'name'),
  version: field('whole', 'version'),
  promptDigest: field('text', 'prompt_digest'),
  provider: field('text', 'provider'),
  model: field('text', 'model'),
  createdAt,
};

export const gradeFields: Fields = {
  scale: field('enum', 'scale'),
  label: field('text', 'label'),
  value: field('real', 'value'),
  invalid: field('text', 'invalid'),
  createdAt,
  grader: { kind: 'above', path: 'grader', fields: () => graderFields },
  organism: { kind: 'above', path: 'organism', fields: () => organismFields },
  projection: { kind: 'above', path: 'projection', fields: () => projectionFields },
};

const belongsTo = (row: Row, to: Row): boolean =>
  row === to || Object.values(row.up).some((parent) => belongsTo(parent, to));

const operators: Record<string, (value: Exclude<Value, null>, given: never) => boolean> = {
  eq: (value, given) => compareValues(value, given) === 0,
  ne: (value, given) => compareValues(value, given) !== 0,
  lt: (value, given) => compareValues(value, given) < 0,
  lte: (value, given) => compareValues(value, given) <= 0,
  gt: (value, given) => compareValues(value, given) > 0,
  gte: (value, given) => compareValues(value, given) >= 0,
  in: (value, given: Value[]) => given.some((one) => one !== null && compareValues(value, scalar(one)) === 0),
  contains: (value, given) => String(value).includes(given),
  startsWith: (value, given) => String(value).startsWith(given),
};
const scalar = (value: unknown) =>
  (typeof value === 'boolean' ? Number(value) : value) as Exclude<Value, null>;

export const textMatches = (text: Value, asked: Condition): boolean => {
  const sought = String(asked['text']);
  if (text === null) return false;
  if (asked['match'] === 'CONTAINS') return String(text).includes(sought);
  return asked['match'] === 'STARTS_WITH' ? String(text).startsWith(sought) : text === sought;
};

/** Whether a row matches a condition: what `where` means, said a second time. */
export function matches(world: World, row: Row, where: Condition, fields: Fields): boolean {
  return Object.entries(where).every(([name, asked]) => {
    if (asked === null || asked === undefined) return true;
    const is = (part: Condition) => matches(world, row, part, fields);
    if (name === 'and') return (asked as Condition[]).every(is);
    if (name === 'or') return (asked as Condition[]).some(is);
    if (name === 'not') return !is(asked as Condition);
    const about = fields[name];
    if (!about) throw new Error(`the model knows no field ${name}`);
    const given = asked as Condition;
    switch (about.kind) {
      case 'above': {
        const higher = above(row, about.path);
        return higher !== undefined && matches(world, higher, given, about.fields());
      }
      case 'vectors':
        return world
          .rows('diff_vectors')
          .some(
            (vector) =>
              belongsTo(vector, row) && matches(world, vector, given['some'] as Condition, diffVectorFields),
          );
      case 'grades':
        return world
          .rows('grades')
          .some(
            (grade) =>
              belongsTo(grade, row) && matches(world, grade, given['some'] as Condition, gradeFields),
          );
      case 'tokens':
        return world.rows('projection_tokens').some((token) => {
          const { columns } = token.up['projection']!;
          return (
            belongsTo(token, row) &&
            textMatches(at(token, 'text'), given) &&
            Number(at(token, 'rank')) < Number(given['top']) &&
            ['method', 'variant', 'sign', 'chosen'].every(
              (column) => (given[column] ?? null) === null || scalar(given[column]) === columns[column],
            )
          );
        });
      default: {
        const value = about.value(row);
        const meant = (operand: unknown): unknown => {
          if (about.kind !== 'moment') return scalar(operand);
          return Array.isArray(operand) ? operand.map(meant) : Date.parse(String(operand));
        };
        return Object.entries(given).every(([operator, operand]) => {
          if (operand === null || operand === undefined) return true;
          if (operator === 'isNull') return (value === null) === operand;
          return value !== null && operators[operator]!(value, meant(operand) as never);
        });
      }
    }
  });
}

/** What a random condition may be. */
export interface Shape {
  random: () => number;
  /** Rows of the list, whose values conditions are made of. */
  rows: readonly Row[];
  depth: number;
  /** Told of every field and operator used. */
  used?: (what: string) => void;
}

const texts = ['', '%', '_', '%%', 'a%', '\\', "'", '"', '*', 'a', ' ', 'ä', '𝔘'];

/** A moment, in milliseconds since 1970, as the clocks of a place show it that are so many minutes ahead of UTC. */
function written(moment: number, offset: number): string {
  const minutes = Math.abs(offset);
  const [hour, minute] = [Math.floor(minutes / 60), minutes % 60].map((part) =>
    String(part).padStart(2, '0'),
  );
  const clock = new Date(moment + offset * 60_000).toISOString().slice(0, -1);
  return `${clock}${offset === 0 ? 'Z' : `${offset < 0 ? '-' : '+'}${hour}:${minute}`}`;
}

/** A random condition within the published limits. */
export function randomCondition(world: World, fields: Fields, shape: Shape): Condition {
  const { random, rows, depth, used } = shape;
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const some = () => Math.floor(random() * 3);
  const deeper = (): Condition => randomCondition(world, fields, { ...shape, depth: depth - 1 });
  const condition: Condition = {};
  if (depth > 0 && random() < 0.6) {
    const name = pick(['and', 'or', 'not']);
    condition[name] = name === 'not' ? deeper() : Array.from({ length: some() }, deeper);
  }
  for (let left = some(); left > 0; left--) {
    const name = pick(Object.keys(fields));
    const about = fields[name]!;
    switch (about.kind) {
      case 'above': {
        const higher = rows.flatMap((row) => above(row, about.path) ?? []);
        condition[name] = randomCondition(world, about.fields(), { ...shape, rows: higher, depth: 0 });
        break;
      }
      case 'vectors':
        if (depth === 0) break;
        used?.('diffVectors.some');
        condition[name] = {
          some: randomCondition(world, diffVectorFields, {
            ...shape,
            rows: world.rows('diff_vectors'),
            depth: 0,
          }),
        };
        break;
      case 'grades':
        if (depth === 0) break;
        used?.('grades.some');
        condition[name] = {
          some: randomCondition(world, gradeFields, {
            ...shape,
            rows: world.rows('grades'),
            depth: 0,
          }),
        };
        break;
      case 'tokens': {
        const text = String(at(pick(world.rows('projection_tokens')), 'text') ?? 'x');
        const match = pick(['EXACT', 'STARTS_WITH', 'CONTAINS']);
        used?.(`topTokens.${match}`);
        const from = match === 'CONTAINS' ? some() : 0;
        condition[name] = {
          text:
            (match === 'EXACT' ? text : [...text].slice(from, from + 1 + 2 * some()).join('')) ||
            pick(texts.slice(1)),
          match,
          top: pick([1, 2, 20, 200]),
          ...(random() < 0.3 && { variant: pick(['DIFF', 'BASE', null]) }),
          ...(random() < 0.3 && { sign: pick(['PROMOTED', 'SUPPRESSED']) }),
          ...(random() < 0.3 && { chosen: random() < 0.5 }),
          ...(random() < 0.3 && { method: pick(['logit-lens', 'none']) }),
        };
        break;
      }
      default:
        condition[name] = comparison(name, about.kind, about.value);
    }
  }
  return condition;

  function comparison(name: string, kind: Kind, value: (row: Row) => Value): Condition {
    const known = (): unknown => {
      const found = rows.length === 0 ? null : value(pick(rows));
      if (kind === 'text') return found === null || random() < 0.2 ? pick(texts) : found;
      if (kind === 'moment')
        return written(Number(found ?? 0) + pick([-1, 0, 0, 1]), pick([-765, 0, 0, 330]));
      if (kind === 'enum') return found ?? null;
      if (kind === 'yes') return random() < 0.5;
      if (found === null || !Number.isFinite(found)) return Math.floor(random() * 4) - 1;
      return found;
    };
    const ordered = ['eq', 'ne', 'lt', 'lte', 'gt', 'gte', 'in', 'isNull'];
    const operator = pick(
      {
        text: [...ordered, 'contains', 'startsWith'],
        moment: ordered,
        whole: ordered,
        real: ordered,
        yes: ['eq', 'isNull'],
        enum: ['eq', 'ne', 'in'],
      }[kind],
    );
    used?.(`${name}.${operator}`);
    const part = (text: string) => {
      const from = operator === 'startsWith' ? 0 : some();
      return random() < 0.3 ? pick(texts) : [...text].slice(from, from + 1 + some()).join('');
    };
    switch (operator) {
      case 'in':
        return { in: Array.from({ length: some() }, known).filter((value) => value !== null) };
      case 'isNull':
        return { isNull: random() < 0.5 };
      case 'contains':
      case 'startsWith':
        return { [operator]: part(String(known())) };
      default:
        return { [operator]: known() };
    }
  }
}
