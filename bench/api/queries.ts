/** Ten organisms × ten layers × ten projections: 1,000 leaves. */
export const nested = `{ organisms(first: 10) { edges { node { name latestRun { key layers(first: 10) { edges { node { layer
  diffVectors(first: 1) { edges { node { position norm projections(first: 10) { edges { node { method scale sign score chosen } } } } } } } } } } } } } }`;

/** The same with the most that one request may read, or nearly. */
export const heavy = nested
  .replace('organisms(first: 10)', 'organisms(first: 12)')
  .replace('layers(first: 10)', 'layers(first: 16)')
  .replace('projections(first: 10)', 'projections(first: 95)');

export const point = 'query ($key: String!) { run(key: $key) { key method samples digest } }';

export const pointBody = (key: string, query = point): string =>
  JSON.stringify({ query, variables: { key } });
