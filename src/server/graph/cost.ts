import {
  BREAK,
  getArgumentValues,
  getNamedType,
  getNullableType,
  isAbstractType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isObjectType,
  Kind,
  SchemaMetaFieldDef,
  TypeMetaFieldDef,
  visit,
  type ArgumentNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import type { FieldCost } from '../../../schema/cost.ts';
import { defaultPageSize, maxPageSize } from '../../../schema/limits.ts';

export type Variables = Readonly<Record<string, unknown>>;

/** Hundredths of a point, so that sums are exact: a number where variables change nothing. */
type Price = number | ((variables: Variables) => number);

const point = 100;
const introspected = point / 10; // read from memory, not from the store

/**
 * What an operation costs at most, in whole points, as a function of its coerced variables: for each object 1, and the size of
 * each page times what a row of it costs. Connections are as long as `first` and `last` say, 50 without them, and their rows are
 * read whether they are shown or not; other lists, and what is dearer, say it themselves (FieldCost). What is asked for twice is
 * counted twice. Conditions on other rows cost as they say. Each fragment is looked at once for each type, however often it is spread.
 */
export function costFunction(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): (variables: Variables) => number {
  const root = schema.getRootType(operation.operation);
  const price = root ? pricer(schema, document)(operation.selectionSet, root) : 0;
  if (typeof price === 'number') {
    const points = inPoints(price);
    return () => points;
  }
  return (variables) => inPoints(price(variables));
}

const inPoints = (price: number): number => Math.max(1, Math.ceil(price / point));

/** Whether lists of this type are paged by `first` and `last`. */
export const isConnection = (type: GraphQLCompositeType): boolean =>
  isObjectType(type) && 'edges' in type.getFields() && 'pageInfo' in type.getFields();

export const costOf = ({ extensions }: GraphQLField<unknown, unknown>): FieldCost | undefined =>
  extensions['cost'] as FieldCost | undefined;

/** Which fields of a connection are looked at: the rows, once for each of the page, or the others. */
type Part = 'all' | 'rows' | 'others';

function pricer(schema: GraphQLSchema, document: DocumentNode) {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const known = new Map<SelectionSetNode, Map<string, Price>>();

  /** Of one object of this type. */
  function ofSelections(set: SelectionSetNode, type: GraphQLCompositeType, part: Part = 'all'): Price {
    if (isAbstractType(type))
      return largest(schema.getPossibleTypes(type).map((possible) => ofSelections(set, possible)));
    const key = `${type.name} ${part}`;
    let prices = known.get(set);
    if (!prices) known.set(set, (prices = new Map()));
    let price = prices.get(key);
    if (price === undefined) {
      prices.set(key, 0); // for a fragment within itself, which is refused elsewhere
      price = sum(set.selections.map((selection) => ofSelection(selection, type, part)));
      prices.set(key, price);
    }
    return price;
  }

  function ofSelection(selection: SelectionNode, type: GraphQLObjectType, part: Part): Price {
    if (selection.kind === Kind.FIELD) {
      if (part !== 'all' && (selection.name.value === 'edges') !== (part === 'rows')) return 0;
      return included(selection, () => ofField(selection, type));
    }
    const spread = selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value) : selection;
    if (!spread || !applies(spread.typeCondition?.name.value, type)) return 0;
    return included(selection, () => ofSelections(spread.selectionSet, type, part));
  }

  function applies(condition: string | undefined, type: GraphQLObjectType): boolean {
    if (condition === undefined || condition === type.name) return true;
    const wanted = schema.getType(condition);
    return isAbstractType(wanted) && schema.isSubType(wanted, type);
  }

  function ofField(node: FieldNode, parent: GraphQLObjectType): Price {
    const field = fieldOf(schema, parent, node.name.value);
    if (!field) return 0;
    const type = getNamedType(field.type);
    const { weight, memberWeight = 0.01 } = costOf(field) ?? {};
    const own = weight === undefined ? undefined : weight * point;
    const asked = ofArguments(node, field);
    if (!isCompositeType(type) || !node.selectionSet) {
      return isListType(getNullableType(field.type))
        ? sum([own ?? 0, asked, times(sizeOf(node, field), memberWeight * point)])
        : sum([own ?? 0, asked]);
    }
    const set = node.selectionSet;
    if (type.name.startsWith('__'))
      return times(introspectedSize(schema, field), sum([introspected, ofSelections(set, type)]));
    if (isConnection(type)) {
      const row = sum([point, ofSelections(set, type, 'rows')]);
      return sum([own ?? point, asked, times(sizeOf(node, field), row), ofSelections(set, type, 'others')]);
    }
    const inside = ofSelections(set, type);
    if (isPaging(parent, field.name)) return inside; // paid for with the page
    if (isListType(getNullableType(field.type)))
      return sum([own ?? 0, asked, times(sizeOf(node, field), sum([point, inside]))]);
    return sum([own ?? point, asked, inside]);
  }

  return ofSelections;
}

/** What a field costs for what it is asked. */
function ofArguments(node: FieldNode, field: GraphQLField<unknown, unknown>): Price {
  const { ofArguments: pointsOf } = costOf(field) ?? {};
  if (!pointsOf) return 0;
  const price = (variables: Variables): number => {
    try {
      return point * pointsOf(getArgumentValues(field, node, variables));
    } catch {
      return 0; // what cannot be read as its arguments is refused before it is resolved
    }
  };
  return hasVariables(node.arguments ?? []) ? price : price({});
}

const hasVariables = (given: readonly ArgumentNode[]): boolean => {
  let found = false;
  for (const node of given) visit(node, { Variable: () => ((found = true), BREAK) });
  return found;
};

const isPaging = (parent: GraphQLObjectType, field: string): boolean =>
  (field === 'edges' && isConnection(parent)) || (field === 'node' && 'cursor' in parent.getFields());

function fieldOf(
  schema: GraphQLSchema,
  parent: GraphQLObjectType,
  name: string,
): GraphQLField<unknown, unknown> | undefined {
  if (parent === schema.getQueryType()) {
    if (name === '__schema') return SchemaMetaFieldDef;
    if (name === '__type') return TypeMetaFieldDef;
  }
  return parent.getFields()[name];
}

/** Members of a list at most. */
function sizeOf(node: FieldNode, field: GraphQLField<unknown, unknown>): Price {
  const { assumedSize, slicingArguments = [] } = costOf(field) ?? {};
  const paged = isConnection(getNamedType(field.type) as GraphQLCompositeType) ? ['first', 'last'] : [];
  const values = [...paged, ...slicingArguments].map((name) => ({
    paging: paged.includes(name),
    value: argument(node, field, name),
  }));
  const sizeWith = (variables: Variables): number => {
    let size = Infinity;
    let sliced = paged.length === 0;
    for (const { paging, value } of values) {
      const given = lengthOf(typeof value === 'function' ? value(variables) : value);
      if (given === undefined) continue;
      size = Math.min(size, given);
      sliced ||= paging;
    }
    if (!sliced) size = Math.min(size, defaultPageSize);
    return size === Infinity ? (assumedSize ?? maxPageSize) : size;
  };
  return values.some(({ value }) => typeof value === 'function') ? sizeWith : sizeWith({});
}

/** What is out of range is refused where it is resolved. */
function lengthOf(value: unknown): number | undefined {
  const length = Array.isArray(value) ? value.length : value;
  return typeof length === 'number' ? Math.min(Math.max(0, length), maxPageSize) : undefined;
}

/** The value of an argument, or how it follows from the variables. */
function argument(node: FieldNode, field: GraphQLField<unknown, unknown>, name: string): unknown {
  const defined = field.args.find((argument) => argument.name === name);
  const byDefault: unknown = defined?.defaultValue;
  const given = node.arguments?.find((written) => written.name.value === name)?.value;
  if (given === undefined) return byDefault;
  if (given.kind === Kind.VARIABLE) {
    const variable = given.name.value;
    return (variables: Variables) => (variable in variables ? variables[variable] : byDefault);
  }
  if (given.kind === Kind.LIST) return given.values;
  if (given.kind === Kind.NULL) return undefined;
  if (defined && isListType(getNullableType(defined.type))) return [given]; // one value stands for a list of it
  return given.kind === Kind.INT ? Number(given.value) : undefined;
}

/** Nothing where a directive leaves it out. */
function included({ directives = [] }: SelectionNode, priceOf: () => Price): Price {
  const conditions: ((variables: Variables) => boolean)[] = [];
  for (const { name, arguments: given = [] } of directives) {
    const wanted = name.value === 'include' ? true : name.value === 'skip' ? false : undefined;
    const condition = given.find((written) => written.name.value === 'if')?.value;
    if (wanted === undefined || !condition) continue;
    if (condition.kind === Kind.VARIABLE) {
      const variable = condition.name.value;
      conditions.push((variables) => variables[variable] === wanted);
    } else if (condition.kind === Kind.BOOLEAN && condition.value !== wanted) return 0;
  }
  const price = priceOf();
  if (conditions.length === 0 || price === 0) return price;
  return (variables) => (conditions.every((holds) => holds(variables)) ? evaluate(price, variables) : 0);
}

/** Lists of introspection are counted by their mean lengths in this schema. */
function introspectedSize(schema: GraphQLSchema, { name, type }: GraphQLField<unknown, unknown>): number {
  if (!isListType(getNullableType(type))) return 1;
  let sizes = introspectedSizes.get(schema);
  if (!sizes) introspectedSizes.set(schema, (sizes = measureIntrospection(schema)));
  return sizes[name] ?? 1;
}

const introspectedSizes = new WeakMap<GraphQLSchema, Record<string, number>>();

function measureIntrospection(schema: GraphQLSchema): Record<string, number> {
  const types = Object.values(schema.getTypeMap());
  const fields = types.flatMap((type) =>
    isObjectType(type) || isInterfaceType(type) ? Object.values(type.getFields()) : [],
  );
  const count = (sizes: number[]) => sizes.reduce((all, size) => all + size, 0);
  return {
    types: types.length,
    directives: schema.getDirectives().length,
    fields: fields.length / types.length,
    args: count(fields.map(({ args }) => args.length)) / fields.length,
    inputFields:
      count(types.map((type) => (isInputObjectType(type) ? Object.keys(type.getFields()).length : 0))) /
      types.length,
    enumValues: count(types.map((type) => (isEnumType(type) ? type.getValues().length : 0))) / types.length,
  };
}

// ---- arithmetic on prices ----

const evaluate = (price: Price, variables: Variables): number =>
  typeof price === 'number' ? price : price(variables);

const isFixed = (price: Price): price is number => typeof price === 'number';

function sum(prices: readonly Price[]): Price {
  const fixed = prices.filter(isFixed).reduce((all, price) => all + price, 0);
  const open = prices.filter((price) => typeof price === 'function');
  if (open.length === 0) return fixed;
  return (variables) => {
    let all = fixed;
    for (const price of open) all += price(variables);
    return all;
  };
}

function largest(prices: readonly Price[]): Price {
  if (prices.every(isFixed)) return Math.max(0, ...prices);
  return (variables) => Math.max(0, ...prices.map((price) => evaluate(price, variables)));
}

function times(size: Price, price: Price): Price {
  if (typeof size === 'number' && typeof price === 'number') return size * price;
  return (variables) => evaluate(size, variables) * evaluate(price, variables);
}
