import { GraphQLError, type DirectiveNode, type ValidationRule } from 'graphql';

/** Refuses documents with more directives: each is looked at by several rules and for each object. */
export const directiveLimit =
  (most: number): ValidationRule =>
  (context) => {
    let count = 0;
    return {
      Directive(node: DirectiveNode) {
        if (++count !== most + 1) return;
        context.reportError(
          new GraphQLError(`This document has more than ${most} directives.`, {
            nodes: node,
            extensions: { code: 'COST_LIMIT_EXCEEDED' },
          }),
        );
      },
    };
  };
