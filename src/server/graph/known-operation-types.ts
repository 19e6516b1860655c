import { GraphQLError, type ASTVisitor, type ValidationContext } from 'graphql';

/** Refuses operations of a type that the schema does not have; graphql-js 16 finds out only when it executes them. */
export const knownOperationTypes = (context: ValidationContext): ASTVisitor => ({
  OperationDefinition(node) {
    if (!context.getSchema().getRootType(node.operation))
      context.reportError(new GraphQLError(`There is no ${node.operation} here.`, { nodes: node }));
  },
});
