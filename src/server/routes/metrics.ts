import type { Route, Services } from '../route.ts';

/** /metrics: counts for Prometheus. */
export const metricsRoute = ({ metrics }: Services): Route => ({
  name: '/metrics',
  path: /^\/metrics$/,
  methods: ['GET'],
  access: 'ADMIN',
  async handle({ response }) {
    const text = await metrics.text();
    response.writeHead(200, { 'Content-Type': metrics.contentType }).end(text);
  },
});
