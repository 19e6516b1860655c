const known = ['query', 'operationName', 'variables', 'extensions'];

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Of a request's JSON, what GraphQL over HTTP knows; what clients send beside it means nothing, and is no error. */
export const knownParameters = (body: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(body).filter(([name]) => known.includes(name)));
