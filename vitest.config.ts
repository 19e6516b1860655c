import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Test code must load the same copy of graphql that Pothos and Yoga (both external, CommonJS) load.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['test/**/*.test.ts'],
    // Test files run side by side: threads that spin while they wait for each other would keep the others' from working.
    env: { OMP_WAIT_POLICY: 'passive' },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
