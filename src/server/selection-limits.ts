import {
  GraphQLError,
  Kind,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';

/** Limits of one operation, counted with every fragment spread out in each place it is used. */
export interface SelectionLimits {
  /** Longest way from the root to a field. */
  depth: number;
  /** Fields in all. */
  fields: number;
  /** Fields under another name than their own, `__typename` left out. */
  aliases: number;
  /** The most of them that are one field. */
  aliasesOfField: number;
  /** How often a field is asked for in one place of the answer. */
  repeats: number;
}

interface Size {
  depth: number;
  fields: number;
  /** By the name of the field. */
  aliases: ReadonlyMap<string, number>;
}

const none: Size = { depth: 0, fields: 0, aliases: new Map() };

/** Refuses operations above the limits, before anything is executed. */
export const selectionLimits =
  (limits: SelectionLimits): ValidationRule =>
  (context) => ({
    OperationDefinition(operation) {
      const { depth, fields, aliases } = measurer(context)(operation.selectionSet);
      const refuse = (what: string, most: number) =>
        context.reportError(
          new GraphQLError(`This query has ${what}; the most allowed is ${most}.`, {
            nodes: operation,
            extensions: { code: 'COST_LIMIT_EXCEEDED' },
          }),
        );
      if (depth > limits.depth) refuse(`depth ${depth}`, limits.depth);
      if (fields > limits.fields) refuse(`fields ${fields}`, limits.fields);
      const all = [...aliases.values()].reduce((sum, count) => sum + count, 0);
      if (all > limits.aliases) refuse(`aliases ${all}`, limits.aliases);
      for (const [name, count] of aliases) {
        if (count > limits.aliasesOfField) refuse(`aliases ${count} of ${name}`, limits.aliasesOfField);
      }
      // Within the limits it is small enough to be walked.
      if (depth > limits.depth || fields > limits.fields) return;
      const most = mostRepeated(context, operation.selectionSet);
      if (most > limits.repeats) refuse(`a field ${most} times in one place`, limits.repeats);
    },
  });

function measurer(context: ValidationContext): (selections: SelectionSetNode) => Size {
  const fragments = new Map<string, Size>();

  /** Each fragment is measured once, however often it is spread; a cycle counts as empty, another rule refuses it. */
  function measureFragment(name: string): Size {
    const known = fragments.get(name);
    if (known) return known;
    fragments.set(name, none);
    const definition = context.getFragment(name);
    const size = definition ? measure(definition.selectionSet) : none;
    fragments.set(name, size);
    return size;
  }

  function measure({ selections }: SelectionSetNode): Size {
    let [depth, fields] = [0, 0];
    const aliases = new Map<string, number>();
    const add = (name: string, count: number) => aliases.set(name, (aliases.get(name) ?? 0) + count);
    for (const selection of selections) {
      let size = none;
      if (selection.kind === Kind.FRAGMENT_SPREAD) size = measureFragment(selection.name.value);
      else if (selection.selectionSet) size = measure(selection.selectionSet);
      const field = selection.kind === Kind.FIELD ? selection : undefined;
      depth = Math.max(depth, size.depth + (field ? 1 : 0));
      fields += size.fields + (field ? 1 : 0);
      for (const [name, count] of size.aliases) add(name, count);
      if (field?.alias && field.name.value !== '__typename') add(field.name.value, 1);
    }
    return { depth, fields, aliases };
  }

  return measure;
}

/** More than any operation within the limits takes. */
const mostSteps = 20_000;

/** How often the field that is asked for most is asked for in one place of the answer. */
function mostRepeated(context: ValidationContext, root: SelectionSetNode): number {
  interface Place {
    count: number;
    inside: Map<string, Place>;
  }
  let [most, steps] = [0, 0];
  const open = new Set<SelectionSetNode>(); // a fragment within itself is refused by another rule
  function walk(set: SelectionSetNode, places: Map<string, Place>): void {
    if (open.has(set)) return;
    open.add(set);
    for (const selection of set.selections) {
      if (++steps > mostSteps) break;
      if (selection.kind === Kind.FIELD) {
        const name = (selection.alias ?? selection.name).value;
        const place = places.get(name) ?? { count: 0, inside: new Map<string, Place>() };
        places.set(name, place);
        most = Math.max(most, ++place.count);
        if (selection.selectionSet) walk(selection.selectionSet, place.inside);
      } else {
        const spread =
          selection.kind === Kind.FRAGMENT_SPREAD ? context.getFragment(selection.name.value) : selection;
        if (spread) walk(spread.selectionSet, places);
      }
    }
    open.delete(set);
  }
  walk(root, new Map());
  return most;
}
