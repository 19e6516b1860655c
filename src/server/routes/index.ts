import type { Route, Services } from '../route.ts';
import { explorerRoute } from './explorer.ts';
import { graphqlRoute } from './graphql.ts';
import { healthRoute } from './health.ts';
import { jobEventsRoute } from './job-events.ts';
import { metricsRoute } from './metrics.ts';
import { readyRoute } from './ready.ts';
import { runRoute } from './runs.ts';
import { vectorBatchRoute } from './vector-batch.ts';
import { vectorRoute } from './vectors.ts';

/** Every way in, the first that matches a path wins. */
export const routes = (services: Services): Route[] => [
  graphqlRoute(services),
  vectorRoute(services),
  vectorBatchRoute(services),
  runRoute(services),
  jobEventsRoute(services),
  healthRoute(),
  readyRoute(services),
  metricsRoute(services),
  ...(services.graphiql ? [explorerRoute()] : []),
];
