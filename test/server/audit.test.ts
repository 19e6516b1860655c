import { auditServer } from 'graphql-http';
import { expect, it } from 'vitest';
import { serve } from '../harness/serve.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

it.each([
  ['the short way', true],
  ['yoga', false],
])('GraphQL over HTTP by %s passes the whole audit', async (_, plainPost) => {
  const { url } = await serve(temporaryStore(), { plainPost });
  const results = await auditServer({ url: `${url}/graphql` });
  const failed = results.filter(({ status }) => status !== 'ok');
  expect(failed.map(({ name, ...rest }) => `${name}: ${'reason' in rest ? rest.reason : ''}`)).toEqual([]);
  expect(results).toHaveLength(61);
});
