import { GraphQLError, visit, BREAK, type DocumentNode, type ExecutionResult } from 'graphql';
import type { GraphContext } from '../../../schema/index.ts';

/** Whether this is somebody without a token on a server that has some, who is told no more of the schema than answers need. */
export const isStranger = ({ guarded, store }: Pick<GraphContext, 'guarded' | 'store'>): boolean =>
  guarded && store.viewer.kind === 'ANONYMOUS';

const judged = new WeakMap<DocumentNode, boolean>();

/** Whether a document asks what the schema is. `__typename` does not. */
export function introspects(document: DocumentNode): boolean {
  const known = judged.get(document);
  if (known !== undefined) return known;
  let found = false;
  visit(document, {
    Field({ name: { value } }) {
      if (value !== '__schema' && value !== '__type') return undefined;
      found = true;
      return BREAK;
    },
  });
  judged.set(document, found);
  return found;
}

export const introspectionRefused = (): ExecutionResult => ({
  errors: [
    new GraphQLError('Introspection needs a token here; the schema is in schema/schema.graphql.', {
      extensions: { code: 'UNAUTHENTICATED' },
    }),
  ],
});

/** An error as strangers see it: without what graphql-js thinks was meant. */
export function withoutSuggestion(error: GraphQLError): GraphQLError {
  const message = error.message.replace(/ Did you mean [\s\S]*\?$/, '');
  if (message === error.message) return error;
  const {
    nodes = null,
    source = null,
    positions = null,
    path = null,
    originalError = null,
    extensions,
  } = error;
  return new GraphQLError(message, { nodes, source, positions, path, originalError, extensions });
}
