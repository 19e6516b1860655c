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
  /** Fields under another name than their own. */
  aliases: number;
}

const none: SelectionLimits = { depth: 0, fields: 0, aliases: 0 };

/** Refuses operations above the limits, before anything is executed. */
export const selectionLimits =
  (limits: SelectionLimits): ValidationRule =>
  (context) => ({
    OperationDefinition(operation) {
      const size = measurer(context)(operation.selectionSet);
      for (const name of ['depth', 'fields', 'aliases'] as const) {
        if (size[name] <= limits[name]) continue;
        context.reportError(
          new GraphQLError(`This query has ${name} ${size[name]}; the most allowed is ${limits[name]}.`, {
            nodes: operation,
            extensions: { code: 'COST_LIMIT_EXCEEDED' },
          }),
        );
      }
    },
  });

function measurer(context: ValidationContext): (selections: SelectionSetNode) => SelectionLimits {
  const fragments = new Map<string, SelectionLimits>();

  /** Each fragment is measured once, however often it is spread; a cycle counts as empty, another rule refuses it. */
  function measureFragment(name: string): SelectionLimits {
    const known = fragments.get(name);
    if (known) return known;
    fragments.set(name, none);
    const definition = context.getFragment(name);
    const size = definition ? measure(definition.selectionSet) : none;
    fragments.set(name, size);
    return size;
  }

  function measure({ selections }: SelectionSetNode): SelectionLimits {
    const total = { ...none };
    for (const selection of selections) {
      let size = none;
      if (selection.kind === Kind.FRAGMENT_SPREAD) size = measureFragment(selection.name.value);
      else if (selection.selectionSet) size = measure(selection.selectionSet);
      const field = selection.kind === Kind.FIELD ? selection : undefined;
      total.depth = Math.max(total.depth, size.depth + (field ? 1 : 0));
      total.fields += size.fields + (field ? 1 : 0);
      total.aliases += size.aliases + (field?.alias ? 1 : 0);
    }
    return total;
  }

  return measure;
}
