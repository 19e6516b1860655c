import type { Route, Services } from '../route.ts';
import { graphqlRoute } from './graphql.ts';
import { healthRoute } from './health.ts';
import { homeRoute } from './home.ts';
import { jobEventsRoute } from './job-events.ts';
import { vectorRoute } from './vectors.ts';

/** Every way in, the first that matches a path wins. */
export const routes = (services: Services): Route[] => [
  graphqlRoute(services),
  vectorRoute(services),
  jobEventsRoute(services),
  healthRoute(),
  ...(services.graphiql ? [homeRoute()] : []),
];
