import { createGraph } from '../graphql.ts';
import { graphiqlPolicy } from '../headers.ts';
import { refuse } from '../respond.ts';
import type { Route, Services } from '../route.ts';

/** /graphql: queries by POST of JSON or GET, and GraphiQL for browsers. */
export function graphqlRoute(services: Services): Route {
  const graph = createGraph(services);
  return {
    name: '/graphql',
    path: /^\/graphql$/,
    methods: ['GET', 'POST'],
    handle({ request, response }) {
      // JSON only: other types come from plain forms of other sites, without asking the browser's leave.
      if (
        request.method === 'POST' &&
        !/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')
      ) {
        return refuse(response, 415, 'UNSUPPORTED_MEDIA_TYPE', 'send a query as application/json');
      }
      const page =
        services.graphiql && request.method === 'GET' && (request.headers.accept ?? '').includes('text/html');
      if (page) response.setHeader('Content-Security-Policy', graphiqlPolicy);
      return graph(request, response);
    },
  };
}
