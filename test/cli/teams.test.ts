import { expect, it } from 'vitest';
import { openStore } from '../../src/db/index.ts';
import { startJob } from '../../src/jobs/index.ts';
import { storeFile } from '../../src/cli/data-folder.ts';
import { deltascope } from '../harness/command.ts';
import { noRoots, smallRun, storeWithCake, superviseInTest, until } from '../harness/jobs.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { bearer } from '../../src/db/index.ts';

const ok = async (...command: string[]): Promise<string> => {
  const { code, stdout, stderr } = await deltascope(...command);
  expect(code, `${command.join(' ')}: ${stderr}`).toBe(0);
  return stdout;
};

it('makes teams and tokens, shows them without secrets, ends them, and logs it all', async () => {
  const data = temporaryFolder();
  const at = ['--data', data];
  expect(await ok('team', 'create', 'red', ...at)).toBe('team red\n');
  expect((await deltascope('team', 'create', 'Red!', ...at)).stderr).toContain('small letters');
  expect((await deltascope('token', 'create', '--label', 'x', ...at)).stderr).toContain('needs a team');
  const secret = (
    await ok('token', 'create', '--label', 'anna', '--team', 'red', '--scopes', 'write', ...at)
  ).trim();
  expect(secret).toMatch(/^dscp_[0-9A-Za-z]{36}$/);
  const [token] = JSON.parse(await ok('token', 'list', '--json', ...at)) as object[];
  expect(token).toMatchObject({
    id: 1,
    label: 'anna',
    team: 'red',
    scopes: ['read', 'write'],
    state: 'valid',
  });
  expect(await ok('token', 'list', ...at)).not.toContain(secret);
  expect(JSON.parse(await ok('team', 'list', '--json', ...at))).toMatchObject([{ name: 'red', tokens: 1 }]);
  await ok('token', 'revoke', '1', ...at);
  expect(JSON.parse(await ok('token', 'list', '--json', ...at))).toMatchObject([{ state: 'revoked' }]);
  const log = JSON.parse(await ok('audit', 'show', '--json', ...at)) as { action: string }[];
  expect(log.map(({ action }) => action)).toEqual(['team.create', 'token.create', 'token.revoke']);
  const { head } = JSON.parse(await ok('audit', 'verify', '--json', ...at)) as { head: string };
  expect(await ok('audit', 'verify', '--expect', head, ...at)).toContain('3 lines');
  expect((await deltascope('audit', 'verify', '--expect', '0'.repeat(63) + '1', ...at)).code).toBe(1);
  expect((await deltascope('serve', '--host', '0.0.0.0', '--data', temporaryFolder())).code).toBe(1);
}, 180_000);

it('shares an organism with a team, whose token has it measured for the team', async () => {
  const { store, file, folder } = await storeWithCake();
  const at = ['--data', folder];
  expect(storeFile(folder)).toBe(file);
  await ok('team', 'create', 'red', ...at);
  await ok('token', 'create', '--label', 'anna', '--team', 'red', '--scopes', 'jobs:run', ...at);
  const anna = store.as(bearer(store.accessTokens.find(1)!));
  expect(() => startJob(anna, noRoots, 'run', smallRun)).toThrow('There is no organism "cake" here.');
  expect(await ok('organism', 'share', 'cake', '--visibility', 'public', ...at)).toBe(
    'cake: public, the owner’s\n',
  );
  expect(() => startJob(anna, noRoots, 'run', smallRun)).toThrow('There is no corpus "everyday" here.');
  await ok('share', 'corpus', 'everyday', '--visibility', 'public', ...at);
  expect(() => startJob(anna, noRoots, 'run', smallRun)).toThrow(
    'The base model of organism "cake" is not here',
  );
  await ok('share', 'model', store.models.list()[0]!.name, '--visibility', 'public', ...at);
  expect(() => startJob(anna, noRoots, 'run', smallRun)).toThrow('Organism "cake" belongs to others');
  await ok('organism', 'share', 'cake', '--visibility', 'team', '--team', 'red', ...at);
  const job = startJob(anna, noRoots, 'run', smallRun);
  expect(job).toMatchObject({ teamId: 1, tokenId: 1 });
  expect(startJob(store, noRoots, 'run', smallRun).key).not.toBe(job.key); // the owner's is another
  superviseInTest(store, file);
  await until(() => anna.jobs.get(job.key).finishedAt !== null, 'the job ended');
  expect(anna.jobs.get(job.key)).toMatchObject({ state: 'COMPLETED', errorMessage: null });
  expect(anna.runs.all.count(null, {})).toBe(1);
  const other = openStore(file);
  expect(other.auditLog.verify()).toMatchObject({ rows: 6, brokenAt: null });
  other.close();
}, 180_000);
