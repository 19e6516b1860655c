import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Hundreds of tests start a process each, which spends half of its time on compiling the same files. Node's own cache goes by their content.
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(
  new URL('node_modules/.cache/deltascope-tests', import.meta.url),
);

/** Those that change what others in the same process would see, or that live by processes of their own and take long. */
const apart = [
  'test/cli/**/*.test.ts',
  'test/jobs/**/*.test.ts',
  'test/facade/lifetime.test.ts',
  'test/facade/memory.test.ts',
  'test/server/engine-unavailable.test.ts',
];

export default defineConfig({
  // Test code must load the same copy of graphql that Pothos and Yoga (both external, CommonJS) load.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      // In the order in which they run: the long ones are not left for the end, where one core would be idle.
      { extends: true, test: { name: 'apart', include: apart } },
      // Each file in a process of its own would load everything anew: a second and a half for each of them.
      {
        extends: true,
        test: { name: 'together', include: ['test/**/*.test.ts'], exclude: apart, isolate: false },
      },
    ],
  },
});
