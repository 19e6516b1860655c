import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const dev = (args: string[], env: NodeJS.ProcessEnv = process.env) => {
  const { status, stdout, stderr } = spawnSync(resolve('dev'), args, {
    cwd: tmpdir(),
    env,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
};

test.each([[], ['help'], ['--help']])('./dev %s prints the commands', (...args) => {
  const { status, stdout } = dev(args);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^usage: \.\/dev <command>/);
});

test('an unknown command is a usage error that names the known ones', () => {
  expect(dev(['tset'])).toEqual({
    status: 2,
    stdout: '',
    stderr: "dev: no command 'tset'; there are demo, run, test, check, build, setup, fuzz and help\n",
  });
});

test('an unknown fuzz target is a usage error that names the known ones', () => {
  expect(dev(['fuzz', 'safetensor'])).toEqual({
    status: 2,
    stdout: '',
    stderr: "dev: no target 'safetensor'; there are safetensors config adapter, and a number of seconds\n",
  });
});

test('without Node it says which to install, and a test run still ends in a line that counts', () => {
  const bin = mkdtempSync(join(tmpdir(), 'deltascope-dev-'));
  for (const tool of ['sh', 'dirname', 'getconf'])
    symlinkSync(
      ['/bin', '/usr/bin'].map((folder) => join(folder, tool)).find(existsSync) as string,
      join(bin, tool),
    );
  const { status, stdout, stderr } = dev(['test'], { PATH: bin });
  rmSync(bin, { recursive: true });
  expect([status, stdout]).toEqual([1, '0 passed, 1 failed\n']);
  expect(stderr).toBe(
    'dev: node is missing; install Node 24 (https://nodejs.org); any version from 20 will do\n',
  );
});
