import type { Route } from '../route.ts';

/** /: on to GraphiQL. */
export const homeRoute = (): Route => ({
  name: '/',
  path: /^\/$/,
  methods: ['GET', 'HEAD'],
  handle: ({ response }) => response.writeHead(302, { Location: '/graphql' }).end(),
});
