import { BREAK, type DocumentNode, GraphQLError, visit } from 'graphql';
import type { Call } from '../route.ts';

/** Whether this is somebody without a token on a server that has some, who is told no more of the schema than answers need. */
export const isStranger = ({ viewer }: Pick<Call, 'viewer'>): boolean => viewer.kind === 'ANONYMOUS';

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

export const introspectionRefused = (): GraphQLError =>
  new GraphQLError('Introspection needs a token here; the schema is in schema/schema.graphql.', {
    extensions: { code: 'UNAUTHENTICATED' },
  });
