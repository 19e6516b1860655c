import { sha256 } from '../lib/sha256.ts';
import { exampleQuery } from './example-query.ts';

export interface Page {
  body: Buffer;
  etag: string;
}

let made: Promise<Page> | undefined;

/** GraphiQL with everything in it: no asset comes from elsewhere. 9 MB, so loaded when first asked for, and made once. */
export const graphiqlPage = (): Promise<Page> => (made ??= make());

async function make(): Promise<Page> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const body = Buffer.from(renderGraphiQL({ title: 'Deltascope', defaultQuery: exampleQuery }));
  return { body, etag: `"${sha256(body)}"` };
}
