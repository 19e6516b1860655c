import { expect, test } from 'vitest';
import { campaign } from '../kill/campaign.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

// `npm run test:kill` does the same 300 times.
test('kill -9 of server and engine under load loses nothing acknowledged and does nothing twice', async () => {
  const { kills, acknowledged, wrong } = await campaign({ folder: temporaryFolder(), kills: 10, seed: 3 });
  expect(wrong).toEqual([]);
  expect(kills.server + kills.engine).toBe(10);
  expect(kills.server).toBeGreaterThan(0);
  expect(acknowledged.jobs).toBeGreaterThan(0);
  expect(acknowledged.notes).toBeGreaterThan(0);
}, 240_000);
