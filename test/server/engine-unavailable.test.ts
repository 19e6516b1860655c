import { expect, test, vi } from 'vitest';
import { NativeError } from '../../src/native/errors.ts';
import { serve } from '../harness/serve.ts';
import { seedVector } from '../harness/synthetic-results.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

vi.mock('../../src/native/addon.ts', () => ({
  addon: () => {
    throw new NativeError('ENGINE_UNAVAILABLE', 'the engine is not built (/opt/somewhere is missing)');
  },
}));

test('what needs the native code says that it is not there; everything else stands', async () => {
  const store = temporaryStore();
  seedVector(store, 'L1.P0', { organism: 'other', seed: 2 });
  const { key } = seedVector(store);
  const { query } = await serve(store, { dearCost: 1e9, log: () => undefined });
  const response = await query({
    query: `{ diffVector(key: "${key}") { key neighbours { cosine } } runs { totalCount } }`,
  });
  expect(await response.json()).toMatchObject({
    data: { diffVector: null, runs: { totalCount: 2 } },
    errors: [
      {
        message: 'The native code that this needs does not load on the server.',
        extensions: { code: 'ENGINE_UNAVAILABLE', retryable: false },
      },
    ],
  });
});
