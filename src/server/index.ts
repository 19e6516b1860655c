export { ListenError } from './errors.ts';
export { exampleQuery } from './example-query.ts';
export { listen, type Listening } from './listen.ts';
export { createServer, type ServerOptions } from './server.ts';
