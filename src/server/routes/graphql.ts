import { GraphQLError } from 'graphql';
import type { IncomingMessage } from 'node:http';
import { maxBodyBytes, maxJsonDepth } from '../../../schema/limits.ts';
import { isDeeperThan } from '../../lib/json-depth.ts';
import { answer, answerPlainPost } from '../graph/plain-post.ts';
import { graphiqlPage } from '../graphiql.ts';
import { graphiqlPolicy } from '../headers.ts';
import { readText, sendsJson } from '../read-body.ts';
import { refuse } from '../respond.ts';
import type { Call, Route, Services } from '../route.ts';
import { isKnown } from '../serve-body.ts';
import type { createYogaFor } from '../yoga.ts';

/** /graphql: queries by POST of JSON or GET, and GraphiQL for browsers. */
export function graphqlRoute(services: Services): Route {
  const { graph } = services;
  /** Loaded when it is first needed: that takes a third of the time in which a server starts. */
  let loaded: Promise<ReturnType<typeof createYogaFor>> | undefined;
  async function yoga(call: Call): Promise<unknown> {
    loaded ??= import('../yoga.ts').then((module) => module.createYogaFor(graph, services));
    return (await loaded)(call.request, call.response, { call });
  }

  async function post(call: Call): Promise<unknown> {
    const { request, response } = call;
    // JSON only: other types come from plain forms of other sites, without asking the browser's leave.
    if (!sendsJson(request))
      return refuse(response, 415, 'UNSUPPORTED_MEDIA_TYPE', 'send a query as application/json');
    if ((request.headers['content-encoding'] ?? 'identity') !== 'identity')
      return refuse(response, 415, 'UNSUPPORTED_MEDIA_TYPE', 'send a query without Content-Encoding');
    if (!graph.mayAsk(call)) return answer(graph, call, graph.refusal());
    const text = await readText(call, 'a query', maxBodyBytes);
    if (text === undefined) return;
    if (isDeeperThan(text, maxJsonDepth)) return answer(graph, call, tooDeep());
    if (services.plainPost !== false && (await answerPlainPost(graph, call, text))) return;
    (request as IncomingMessage & { body?: string }).body = text; // where yoga looks for a body already read
    return yoga(call);
  }

  async function graphiql({ request, response }: Call): Promise<void> {
    const { body, etag } = await graphiqlPage();
    response.setHeader('Content-Security-Policy', graphiqlPolicy);
    response.setHeader('Cache-Control', 'no-cache');
    response.setHeader('ETag', etag);
    if (isKnown(request, etag)) return void response.writeHead(304).end();
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Content-Length': body.length });
    response.end(body);
  }

  return {
    name: '/graphql',
    path: /^\/graphql$/,
    methods: ['GET', 'POST'],
    access: 'VIEWER',
    handle(call) {
      const { request, response } = call;
      if (request.method === 'POST') return post(call);
      for (const name of ['variables', 'extensions']) {
        const text = call.search.get(name) ?? 'null';
        if (!isJson(text)) return refuse(response, 400, 'BAD_REQUEST', `${name} must be JSON`);
        if (isDeeperThan(text, maxJsonDepth)) return answer(graph, call, tooDeep());
      }
      if (services.graphiql && (request.headers.accept ?? '').includes('text/html')) return graphiql(call);
      if (!graph.mayAsk(call)) return answer(graph, call, graph.refusal());
      return yoga(call);
    },
  };
}

const tooDeep = () => ({
  errors: [
    new GraphQLError(`Objects and lists of the request lie more than ${maxJsonDepth} deep in each other.`, {
      extensions: { code: 'BAD_REQUEST', http: { status: 400, spec: false } },
    }),
  ],
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
