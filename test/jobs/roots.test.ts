import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { registeredRoots, RootError } from '../../src/runs/roots.ts';
import { withoutPaths } from '../../src/jobs/without-paths.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

/** A root with a model and a corpus in it, a secret beside it, and links of all sorts. */
function scene() {
  const folder = temporaryFolder();
  const root = join(folder, 'root');
  const model = join(root, 'models/good');
  mkdirSync(model, { recursive: true });
  writeFileSync(join(model, 'config.json'), '{}');
  writeFileSync(join(root, 'texts.jsonl'), '{"text":"a"}\n');
  mkdirSync(join(folder, 'root-beside'));
  writeFileSync(join(folder, 'root-beside/secret.jsonl'), 'secret');
  writeFileSync(join(folder, 'secret.jsonl'), 'secret');
  const link = (target: string, name: string) => symlinkSync(target, join(root, name));
  link('texts.jsonl', 'inner-link.jsonl');
  link('../secret.jsonl', 'outer-link.jsonl');
  link(join(folder, 'secret.jsonl'), 'absolute-link.jsonl');
  link('..', 'up');
  link('outer-link.jsonl', 'link-to-link.jsonl');
  link('loop', 'loop');
  link('nothing', 'dangling');
  link('/dev/zero', 'zero');
  link('/proc/self', 'proc');
  execFileSync('mkfifo', [join(root, 'pipe')]);
  for (const [name, inside] of [
    ['leaks', '../../secret.jsonl'],
    ['deep', '../texts.jsonl'],
  ] as const) {
    mkdirSync(join(root, name));
    link(inside, `${name}/config.json`);
  }
  mkdirSync(join(root, 'has-pipe'));
  execFileSync('mkfifo', [join(root, 'has-pipe/config.json')]);
  return { folder, root, roots: registeredRoots({ here: root, there: model }) };
}

test('what lies under a root is found, by links that stay in it too', () => {
  const { root, roots } = scene();
  expect(roots.resolve({ root: 'here', path: 'models/good' }, 'folder')).toBe(join(root, 'models/good'));
  expect(roots.resolve({ root: 'there', path: '.' }, 'folder')).toBe(join(root, 'models/good'));
  expect(roots.resolve({ root: 'here', path: 'texts.jsonl' }, 'file')).toBe(join(root, 'texts.jsonl'));
  expect(roots.resolve({ root: 'here', path: 'inner-link.jsonl' }, 'file')).toBe(join(root, 'texts.jsonl'));
  expect(roots.resolve({ root: 'here', path: 'deep' }, 'folder')).toBe(join(root, 'deep'));
});

test.each([
  ['..', 'folder'],
  ['../secret.jsonl', 'file'],
  ['../root-beside/secret.jsonl', 'file'],
  ['models/../../secret.jsonl', 'file'],
  ['models/good/../../../secret.jsonl', 'file'],
  ['./texts.jsonl', 'file'],
  ['models//good', 'folder'],
  ['models/good/', 'folder'],
  ['', 'folder'],
  ['/etc/passwd', 'file'],
  ['//etc/passwd', 'file'],
  ['/', 'folder'],
  ['~/x', 'file'],
  ['~root', 'folder'],
  ['C:\\Windows', 'folder'],
  ['c:/Windows', 'folder'],
  ['..\\secret.jsonl', 'file'],
  ['models\\good', 'folder'],
  ['\\\\server\\share', 'folder'],
  ['texts.jsonl\0', 'file'],
  ['\0', 'folder'],
  ['texts.jsonl\n', 'file'],
  ['%2e%2e/secret.jsonl', 'file'],
  ['..%2fsecret.jsonl', 'file'],
  ['．．/secret.jsonl', 'file'],
  ['file:///etc/passwd', 'file'],
  ['outer-link.jsonl', 'file'],
  ['absolute-link.jsonl', 'file'],
  ['link-to-link.jsonl', 'file'],
  ['up', 'folder'],
  ['up/secret.jsonl', 'file'],
  ['loop', 'file'],
  ['dangling', 'file'],
  ['zero', 'file'],
  ['proc/environ', 'file'],
  ['pipe', 'file'],
  ['has-pipe', 'folder'],
  ['leaks', 'folder'],
  ['texts.jsonl', 'folder'],
  ['models', 'file'],
  [`${'a/'.repeat(3000)}a`, 'file'],
] as const)('%j is refused as a %s, without a word about what lies outside', (path, kind) => {
  const { folder, roots } = scene();
  let refusal: unknown;
  try {
    roots.resolve({ root: 'here', path }, kind);
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toBeInstanceOf(RootError);
  expect((refusal as RootError).what).toBe('path');
  expect((refusal as RootError).message).not.toContain(folder);
});

test('what is missing outside and what is there look the same; other roots are none', () => {
  const { roots } = scene();
  const said = (path: string) => {
    try {
      return roots.resolve({ root: 'here', path }, 'file');
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(said('up/secret.jsonl')).toBe(said('up/no-such-file.jsonl'));
  for (const root of ['nowhere', '__proto__', 'constructor', '', '..'])
    expect(() => roots.resolve({ root, path: '.' }, 'folder')).toThrow('There is no root of this name.');
});

test('a link that is exchanged while files are read is seen before anything is registered', () => {
  const { folder, root, roots } = scene();
  const place = { root: 'here', path: 'models/good' };
  const path = roots.resolve(place, 'folder');
  const print = roots.fingerprint(place, 'folder');
  roots.demandSame(place, 'folder', path);
  renameSync(join(root, 'models/good'), join(folder, 'elsewhere'));
  symlinkSync(join(folder, 'elsewhere'), join(root, 'models/good'));
  expect(() => roots.demandSame(place, 'folder', path)).toThrow(RootError);
  unlinkSync(join(root, 'models/good'));
  symlinkSync('../deep', join(root, 'models/good'));
  expect(() => roots.demandSame(place, 'folder', path)).toThrow('led elsewhere while it was read');
  expect(roots.fingerprint(place, 'folder')).not.toBe(print);

  // The same of a corpus that was registered before.
  const corpus = join(root, 'texts.jsonl');
  roots.demandUnmoved(corpus);
  rmSync(corpus);
  symlinkSync(join(folder, 'secret.jsonl'), corpus);
  expect(() => roots.demandUnmoved(corpus)).toThrow('replaced by a link');
  roots.demandUnmoved(join(folder, 'secret.jsonl')); // not under a root: the owner's own
});

test('a root that is no folder is told at once', () => {
  expect(() => registeredRoots({ models: join(temporaryFolder(), 'none') })).toThrow(
    /^root "models": .* is not a folder$/,
  );
});

test('messages for clients name files without their folders', () => {
  expect(withoutPaths('/data/models/x.safetensors: cannot be read (/data/a b)')).toBe(
    'x.safetensors: cannot be read (a b)',
  );
  expect(withoutPaths('the files of "cake" in /srv/cake are not "/srv/m/cake"; try 3/4')).toBe(
    'the files of "cake" in cake are not "cake"; try 3/4',
  );
});
