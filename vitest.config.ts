import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Test code must load the same copy of graphql that Pothos and Yoga (both external, CommonJS) load.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['test/**/*.test.ts'],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
