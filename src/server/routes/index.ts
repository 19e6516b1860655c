import type { Route, Services } from '../route.ts';
import { explorerRoute } from './explorer.ts';
import { graphqlRoute } from './graphql.ts';
import { healthRoute } from './health.ts';
import { vectorRoute } from './vectors.ts';

/** Every way in, the first that matches a path wins. */
export const routes = (services: Services): Route[] => [
  graphqlRoute(services),
  vectorRoute(services),
  healthRoute(),
  ...(services.graphiql ? [explorerRoute()] : []),
];
