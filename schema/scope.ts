import { GraphQLError } from 'graphql';
import { type Owned, type OrganismRow, owns, type RunRow, type Scope, type Stores } from '../src/db/index.ts';
import type { GraphContext } from './builder.ts';
import { UserProblem } from './user-error.ts';

/** Refuses a request whose token is not good for this, by any of these scopes. @throws GraphQLError UNAUTHENTICATED, FORBIDDEN */
export function requireScope({ store: { viewer } }: GraphContext, scopes: Scope | readonly Scope[]): void {
  const good = [scopes].flat();
  if (viewer.all || good.some((scope) => viewer.scopes.includes(scope))) return;
  throw viewer.kind === 'ANONYMOUS'
    ? new GraphQLError('This needs a token; send one as Authorization: Bearer …', {
        extensions: { code: 'UNAUTHENTICATED' },
      })
    : new GraphQLError(`This needs a token with the scope ${good.join(' or ')}.`, {
        extensions: { code: 'FORBIDDEN' },
      });
}

/** Refuses a change of what the viewer sees and does not own. @throws UserProblem FORBIDDEN */
export function demandOwn({ viewer }: Stores, thing: Owned, what: string, field: readonly string[]): void {
  if (!owns(viewer, thing))
    throw new UserProblem('FORBIDDEN', `${what} belongs to others; only they change it.`, field);
}

/** The organism that says whose a run is. */
export const organismOfRun = (store: Stores, run: RunRow): OrganismRow =>
  store.organisms.getById(run.organismId);
