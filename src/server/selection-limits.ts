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
