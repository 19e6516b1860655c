import type { EnumRef, ImplementableInputObjectRef, InputRef } from '@pothos/core';
import type { Order, Where } from '../src/db/index.ts';
import { withArticle } from '../src/lib/with-article.ts';
import { builder } from './builder.ts';
import { costs } from './cost.ts';
import { badUserInput } from './errors.ts';
import {
  maxFilterDepth,
  maxFilterLeaves,
  maxFilterText,
  maxFilterValues,
  maxOrders,
  maxPageSize,
  searchCost,
} from './limits.ts';

/** Pothos infers a shape from these; ours are judged by `checkAsked` and by the table of fields, so one loose type serves. */
export type InputFields = PothosSchemaTypes.InputFieldBuilder<
  (typeof builder)['$inferSchemaTypes'],
  'InputObject'
>;

const isObject = (value: unknown): value is Where =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Refuses conditions and orders above the published limits. @throws BAD_USER_INPUT */
export function checkAsked({ where, orderBy }: { where?: unknown; orderBy?: unknown }): void {
  if (isObject(where)) checkFilter(where);
  if (Array.isArray(orderBy) && orderBy.length > maxOrders) {
    throw badUserInput(`orderBy has ${orderBy.length} members; the most allowed is ${maxOrders}.`);
  }
}

/** What is asked of other rows than the list's own. */
const searches = ['topTokens', 'some'];

/**
 * Points that a filter costs beside the rows: each condition on other rows than the list's own as much as a page of them, the same
 * one twice as much once, wherever it stands.
 */
export function filterCost(where: unknown): number {
  const asked = new Set<string>();
  const visit = (value: unknown, path: string): void => {
    if (Array.isArray(value)) return value.forEach((member) => void visit(member, path));
    if (!isObject(value)) return;
    for (const [name, part] of Object.entries(value)) {
      if (part === null || part === undefined) continue;
      const place = ['and', 'or', 'not'].includes(name) ? path : `${path}.${name}`;
      if (searches.includes(name)) asked.add(`${place} ${JSON.stringify(part)}`);
      visit(part, place);
    }
  };
  visit(where, '');
  return searchCost * asked.size;
}

/** The cost of a list that takes a filter. */
export const filtered = costs({ ofArguments: ({ where }) => filterCost(where) });

function checkFilter(filter: Where): void {
  let leaves = 0;
  const visit = (value: unknown, depth: number): void => {
    if (Array.isArray(value)) return value.forEach((member) => void visit(member, depth));
    if (!isObject(value)) {
      if (value === null || value === undefined) return;
      if (++leaves > maxFilterLeaves) {
        throw badUserInput(`This filter compares more than ${maxFilterLeaves} times; ask for less at once.`);
      }
      checkText(value);
      return;
    }
    for (const [name, part] of Object.entries(value)) {
      if (['and', 'or', 'not', 'some'].includes(name)) {
        if (depth === maxFilterDepth) {
          throw badUserInput(`and, or, not and some lie more than ${maxFilterDepth} deep in each other.`);
        }
        visit(part, depth + 1);
      } else if (name === 'topTokens' && isObject(part)) {
        checkTopTokens(part);
        visit(true, depth);
      } else if (name === 'in' && Array.isArray(part)) {
        if (part.length > maxFilterValues) {
          throw badUserInput(`An in has ${part.length} values; the most allowed is ${maxFilterValues}.`);
        }
        part.forEach(checkText);
        visit(true, depth);
      } else {
        visit(part, depth);
      }
    }
  };
  visit(filter, 0);
}

function checkText(value: unknown): void {
  if (typeof value === 'string' && value.length > maxFilterText) {
    throw badUserInput(
      `A text in a filter has ${value.length} characters; the most allowed is ${maxFilterText}.`,
    );
  }
}

function checkTopTokens({ text, top }: Where): void {
  checkText(text);
  if (text === '') throw badUserInput('text must have a character at least.');
  if (typeof top === 'number' && (top < 1 || top > maxPageSize)) {
    throw badUserInput(`top must be 1 to ${maxPageSize}, not ${top}.`);
  }
}

// ---- operators, one input for each type of value ----

const nothing = 'Null or absent: no condition.';
const texts = {
  eq: `Only this. ${nothing}`,
  ne: `Anything but this; what is null does not match. ${nothing}`,
  in: `One of these, at most ${maxFilterValues}; none of them: nothing matches. ${nothing}`,
  lt: `Less than this. ${nothing}`,
  lte: `This or less. ${nothing}`,
  gt: `More than this. ${nothing}`,
  gte: `This or more. ${nothing}`,
  contains: `Has this in it; case counts, and there are no wildcards. ${nothing}`,
  startsWith: `Starts with this; case counts. ${nothing}`,
  isNull: `Null (true) or not null (false). ${nothing}`,
};

const all = 'Every condition that is given must hold; text is compared by code points.';

export const StringFilter = builder.inputRef<Where>('StringFilter').implement({
  description: `Conditions on a text. ${all}`,
  fields: (t: InputFields) => ({
    eq: t.string({ description: texts.eq }),
    ne: t.string({ description: texts.ne }),
    in: t.stringList({ description: texts.in }),
    lt: t.string({ description: texts.lt }),
    lte: t.string({ description: texts.lte }),
    gt: t.string({ description: texts.gt }),
    gte: t.string({ description: texts.gte }),
    contains: t.string({ description: texts.contains }),
    startsWith: t.string({ description: texts.startsWith }),
    isNull: t.boolean({ description: texts.isNull }),
  }),
} as never) as InputRef<Where>;

export const IntFilter = builder.inputRef<Where>('IntFilter').implement({
  description: `Conditions on a whole number. ${all}`,
  fields: (t: InputFields) => ({
    eq: t.int({ description: texts.eq }),
    ne: t.int({ description: texts.ne }),
    in: t.intList({ description: texts.in }),
    lt: t.int({ description: texts.lt }),
    lte: t.int({ description: texts.lte }),
    gt: t.int({ description: texts.gt }),
    gte: t.int({ description: texts.gte }),
    isNull: t.boolean({ description: texts.isNull }),
  }),
} as never) as InputRef<Where>;

export const FloatFilter = builder.inputRef<Where>('FloatFilter').implement({
  description: `Conditions on a number, exact in float64; what is null matches isNull: true alone. ${all}`,
  fields: (t: InputFields) => ({
    eq: t.float({ description: texts.eq }),
    ne: t.float({ description: texts.ne }),
    in: t.floatList({ description: texts.in }),
    lt: t.float({ description: texts.lt }),
    lte: t.float({ description: texts.lte }),
    gt: t.float({ description: texts.gt }),
    gte: t.float({ description: texts.gte }),
    isNull: t.boolean({ description: texts.isNull }),
  }),
} as never) as InputRef<Where>;

export const DateTimeFilter = builder.inputRef<Where>('DateTimeFilter').implement({
  description:
    'Conditions on a moment; offsets do not matter: times that are the same moment are equal. Every condition that is given must hold.',
  fields: (t: InputFields) => ({
    eq: t.field({ type: 'DateTime', description: texts.eq }),
    ne: t.field({ type: 'DateTime', description: texts.ne }),
    in: t.field({ type: ['DateTime'], description: texts.in }),
    lt: t.field({ type: 'DateTime', description: `Before this. ${nothing}` }),
    lte: t.field({ type: 'DateTime', description: `Then or before. ${nothing}` }),
    gt: t.field({ type: 'DateTime', description: `After this. ${nothing}` }),
    gte: t.field({ type: 'DateTime', description: `Then or after. ${nothing}` }),
    isNull: t.boolean({ description: texts.isNull }),
  }),
} as never) as InputRef<Where>;

export const BooleanFilter = builder.inputRef<Where>('BooleanFilter').implement({
  description: `Conditions on a yes or no. ${all}`,
  fields: (t: InputFields) => ({
    eq: t.boolean({ description: texts.eq }),
    isNull: t.boolean({ description: texts.isNull }),
  }),
} as never) as InputRef<Where>;

/** Conditions on a value of an enum. */
export const enumFilter = (name: string, type: EnumRef<never, never> | object): InputRef<Where> =>
  builder.inputRef<Where>(`${name}Filter`).implement({
    description: `Conditions on ${withArticle(name)}. Every condition that is given must hold.`,
    fields: (t: { field(options: object): unknown }) => ({
      eq: t.field({ type, description: texts.eq }),
      ne: t.field({ type, description: texts.ne }),
      in: t.field({ type: [type], description: texts.in }),
    }),
  } as never) as InputRef<Where>;

/** The filter of a list: a condition for each of its fields, and `and`, `or`, `not`. A field that is missing here does not compile. */
export function filterInput<Fields extends object>(
  ref: ImplementableInputObjectRef<(typeof builder)['$inferSchemaTypes'], Where>,
  description: string,
  _: Fields,
  fields: Record<keyof Fields & string, [type: object, description: string]>,
): InputRef<Where> {
  const depth = `At most ${maxFilterDepth} deep and ${maxFilterLeaves} comparisons in all, else an error.`;
  ref.implement({
    description: `${description} Every condition that is given must hold; null and absent are the same.`,
    fields: (t: { field(options: object): unknown }) => ({
      ...Object.fromEntries(
        Object.entries<[object, string]>(fields).map(([field, [type, about]]) => [
          field,
          t.field({ type, description: about }),
        ]),
      ),
      and: t.field({ type: [ref], description: `All of these. ${depth}` }),
      or: t.field({ type: [ref], description: `At least one of these; of none, nothing matches. ${depth}` }),
      not: t.field({ type: ref, description: `Whatever does not match this, null too. ${depth}` }),
    }),
  } as never);
  return ref as InputRef<Where>;
}

// ---- orders ----

const SortDirection = builder.enumType('SortDirection', {
  description: 'Which way a list is ordered. Nulls come last either way.',
  values: {
    ASC: { description: 'The smallest first; text by code points.' },
    DESC: { description: 'The largest first.' },
  },
});

/** The order of a list. A field that is missing here does not compile. */
export function orderInput<Sorts extends object>(
  name: string,
  _: Sorts,
  fields: Record<keyof Sorts & string, string>,
): InputRef<Order> {
  const Field = builder.enumType(`${name}OrderField`, {
    description: `What a list of ${name} nodes can be ordered by.`,
    values: Object.fromEntries(
      Object.entries<string>(fields).map(([field, description]) => [field, { description }]),
    ),
  });
  return builder.inputRef<Order>(`${name}Order`).implement({
    description: 'One order of a list, with its direction. Nulls come last.',
    fields: (t: { field(options: object): unknown }) => ({
      field: t.field({ type: Field, required: true, description: 'What to order by.' }),
      direction: t.field({
        type: SortDirection,
        required: true,
        defaultValue: 'ASC',
        description: 'Which way.',
      }),
    }),
  } as never) as InputRef<Order>;
}

/** The description of `orderBy` where rows that are equal go by `ties`. */
export const orderedBy = (ties: string): string =>
  `By what, at most ${maxOrders}, else an error; what is equal goes ${ties}. Null, absent or empty: ${ties} alone.`;
