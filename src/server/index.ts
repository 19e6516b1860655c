export { ListenError } from './errors.ts';
export { exampleQuery } from './example-query.ts';
export { createServer, listen, type Listening, type ServerOptions } from './server.ts';
