/** What the graph refused, in its own words. */
export class GraphError extends Error {}

let token;

/** From here on the graph is asked with this token; undefined: with none. */
export const useToken = (given) => (token = given);

/** Data of one document. @throws GraphError */
export async function ask(document, variables = {}) {
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Accept: 'application/graphql-response+json',
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query: document, variables }),
  });
  const answer = await response.json();
  const failure = answer.errors?.[0] ?? (answer.data ? undefined : answer);
  if (failure) {
    const { requestId } = failure.extensions ?? {};
    throw new GraphError(failure.message + (requestId ? ` (request ${requestId})` : ''));
  }
  return answer.data;
}

/** All nodes of a list, page after page. `pick` takes the connection out of the data. */
export async function askAll(document, variables, pick) {
  const nodes = [];
  for (let after = null; ;) {
    const page = pick(await ask(document, { ...variables, after }));
    if (!page) return nodes;
    nodes.push(...page.edges.map(({ node }) => node));
    if (!page.pageInfo.hasNextPage) return nodes;
    after = page.pageInfo.endCursor;
  }
}
