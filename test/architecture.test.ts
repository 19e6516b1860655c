import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { posix } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

// ---- the architecture: a folder uses itself and what stands here, nothing else ----

/** Folders of src/ (with the top-level schema/ and src/index.ts), low to high. Each imports itself and lower lines. */
const levels = [
  'lib',
  'tokenizer',
  'native db',
  'methods graders steering',
  'runs',
  'jobs report',
  'schema',
  'agent',
  'index',
  'server',
  'cli',
];
/** native sets how OpenMP's threads wait, which can be said in no other way. */
const mayReadEnvironment = ['native', 'server', 'cli'];

/** Folders of native/ and whose headers they include. */
const includes: Record<string, string> = {
  core: '',
  format: 'core',
  ops: 'core',
  models: 'core format ops',
  decode: 'core format ops models',
  diff: 'core ops models',
  host: 'core ops models decode diff',
  no_cuda: 'core models',
  cuda: 'core ops models decode diff',
  readings: 'core ops models',
  binding: 'core format ops models diff decode readings',
};
const headerHome = {
  'napi.h': 'binding',
  'node_api.h': 'binding',
  'dnnl.h': 'ops',
  'dnnl.hpp': 'ops',
  'cuda_runtime.h': 'cuda',
  're2.h': 'models',
  Eigenvalues: 'readings',
};

// ---- the checker ----

/** Path from the project's root, with the file's text. */
type Files = ReadonlyMap<string, string>;

function violations(files: Files): string[] {
  return [...files].flatMap(([path, text]) => {
    const found = path.startsWith('native/') ? badIncludes(path, text, files) : badImports(path, text);
    return found.map((violation) => `${path}: ${violation}`);
  });
}

const words = (line: string): string[] => line.split(' ');

/** The folder of the table that a TypeScript file belongs to. */
function folderOf(path: string): string | undefined {
  const folder =
    path === 'src/index.ts' ? 'index' : (/^(schema)\//.exec(path) ?? /^src\/([^/]+)\//.exec(path))?.[1];
  return levels.flatMap(words).find((known) => known === folder);
}

function badImports(path: string, text: string): string[] {
  const folder = folderOf(path);
  if (folder === undefined) return ['stands in no folder of the table'];
  const below = levels
    .slice(
      0,
      levels.findIndex((line) => words(line).includes(folder)),
    )
    .flatMap(words);
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found: string[] = [];

  const visit = (node: ts.Node): void => {
    const specifier = imported(node);
    if (specifier !== undefined) {
      const target = targetOf(path, specifier);
      if (target !== undefined && target !== folder && !below.includes(target))
        found.push(`${folder} may not import ${specifier}`);
    }
    if (readsEnvironment(node) && !mayReadEnvironment.includes(folder))
      found.push(`${folder} may not read process.env`);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const computed = 'a computed path';

/** The folder an import leads to; undefined for a package, 'nowhere' for a place outside the table. */
function targetOf(path: string, specifier: string): string | undefined {
  if (specifier === computed) return 'nowhere';
  if (specifier === 'deltascope') return 'index';
  if (!/^[./]/.test(specifier)) return undefined;
  return folderOf(posix.join(posix.dirname(path), specifier)) ?? 'nowhere';
}

/** What a node imports, if it imports: statically, by export from, as a type, by import() or by require. */
function imported(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return literal(node.moduleSpecifier);
  if (ts.isImportTypeNode(node)) return literal(node.argument);
  if (ts.isExternalModuleReference(node)) return literal(node.expression);
  if (!ts.isCallExpression(node)) return undefined;
  // A computed import() could lead anywhere. A computed require is left alone: it is how a native addon is loaded.
  if (node.expression.kind === ts.SyntaxKind.ImportKeyword) return literal(node.arguments[0]) ?? computed;
  return node.expression.getText() === 'require' ? literal(node.arguments[0]) : undefined;
}

function literal(node: ts.Node | undefined): string | undefined {
  if (node && ts.isLiteralTypeNode(node)) return literal(node.literal);
  return node && ts.isStringLiteralLike(node) ? node.text : undefined;
}

/** process.env, process['env'], { env } = process, import { env } from 'node:process'. */
function readsEnvironment(node: ts.Node): boolean {
  const isProcess = (expression: ts.Node | undefined) => /\bprocess$/.test(expression?.getText() ?? '');
  if (ts.isPropertyAccessExpression(node)) return isProcess(node.expression) && node.name.text === 'env';
  if (ts.isElementAccessExpression(node))
    return isProcess(node.expression) && literal(node.argumentExpression) === 'env';
  if (ts.isVariableDeclaration(node))
    return isProcess(node.initializer) && /\benv\b/.test(node.name.getText());
  if (!ts.isImportDeclaration(node) || !/^(node:)?process$/.test(imported(node) ?? '')) return false;
  return /\benv\b/.test(node.importClause?.namedBindings?.getText() ?? '');
}

function badIncludes(path: string, text: string, files: Files): string[] {
  const folder = path.split('/')[1] as string;
  const allowed = includes[folder];
  if (allowed === undefined) return ['stands in no folder of the table'];
  return [...text.matchAll(/^\s*#\s*include\s*([<"])([^>"]+)[>"]/gm)].flatMap(([, quote, header = '']) => {
    const home = Object.entries(headerHome).find(([name]) => posix.basename(header) === name)?.[1];
    if (home !== undefined) return home === folder ? [] : [`${header} may be included in ${home} only`];
    if (quote === '<') return [];
    if (!files.has(posix.join('native', header)))
      return [`"${header}" is no header, written from native/ on`];
    const target = header.split('/')[0] as string;
    return target === folder || words(allowed).includes(target)
      ? []
      : [`${folder} may not include ${header}`];
  });
}

// ---- the tests ----

function readSources(): Files {
  const sources = new Map<string, string>();
  for (const [folder, pattern] of [
    ['src', /\.[cm]?[jt]sx?$/],
    ['schema', /\.[cm]?[jt]sx?$/],
    ['native', /\.(h|hpp|c|cc|cpp|cu|cuh)$/],
  ] as const) {
    if (!existsSync(folder)) continue;
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      const path = posix.join(entry.parentPath, entry.name);
      if (entry.isFile() && pattern.test(path)) sources.set(path, readFileSync(path, 'utf8'));
    }
  }
  return sources;
}

test('every import and #include points the way the table says', () => {
  const sources = readSources();
  expect(sources.size).toBeGreaterThan(50);
  expect(violations(sources)).toEqual([]);
});

describe('the checker', () => {
  const check = (files: Record<string, string>): string[] => violations(new Map(Object.entries(files)));

  test.each([
    ['upwards', 'src/db/a.ts', "import { x } from '../runs/x.ts';", 'db may not import ../runs/x.ts'],
    ['sideways', 'src/db/a.ts', "import '../native/index.ts';", 'db may not import ../native/index.ts'],
    ['types', 'src/lib/a.ts', "import type { X } from '../db/x.ts';", 'lib may not import ../db/x.ts'],
    ['type of', 'src/lib/a.ts', "let x: import('../db/x.ts').X;", 'lib may not import ../db/x.ts'],
    ['re-exports', 'src/runs/a.ts', "export * from '../cli/x.ts';", 'runs may not import ../cli/x.ts'],
    ['lazily', 'src/runs/a.ts', "await import('../cli/x.ts');", 'runs may not import ../cli/x.ts'],
    ['lazily anywhere', 'src/cli/a.ts', 'await import(x);', 'cli may not import a computed path'],
    ['by require', 'src/runs/a.ts', "require('../cli/x.ts');", 'runs may not import ../cli/x.ts'],
    ['the root', 'src/runs/a.ts', "import { diff } from 'deltascope';", 'runs may not import deltascope'],
    ['the tests', 'src/lib/a.ts', "import '../../test/x.ts';", 'lib may not import ../../test/x.ts'],
    [
      'schema from below',
      'src/runs/a.ts',
      "import '../../schema/x.ts';",
      'runs may not import ../../schema/x.ts',
    ],
    ['server from the root', 'src/index.ts', "import './server/x.ts';", 'index may not import ./server/x.ts'],
    ['from a new folder', 'src/utils/a.ts', '', 'stands in no folder of the table'],
    ['from beside the root', 'src/helpers.ts', '', 'stands in no folder of the table'],
    ['the environment', 'src/lib/a.ts', 'export const x = process.env.X;', 'lib may not read process.env'],
    ['it by key', 'src/db/a.ts', "globalThis.process['env'];", 'db may not read process.env'],
    ['it by name', 'src/runs/a.ts', "import { env } from 'node:process';", 'runs may not read process.env'],
    ['it in parts', 'schema/a.ts', 'const { env } = process;', 'schema may not read process.env'],
  ])('rejects TypeScript that imports %s', (_, path, text, violation) => {
    expect(check({ [path]: text })).toEqual([`${path}: ${violation}`]);
  });

  test('accepts what the table allows', () => {
    const imports = (...paths: string[]): string => paths.map((path) => `import '${path}';\n`).join('');
    expect(
      check({
        'src/lib/a.ts': imports('node:fs', 'zod', './b.ts'),
        'src/methods/a.ts': imports('../lib/a.ts', '../native/x.ts', '../tokenizer/x.ts', '../db/x.ts'),
        'schema/a.ts': imports('../src/runs/x.ts', './b.ts'),
        'src/index.ts': imports('./native/x.ts', './runs/x.ts', '../schema/x.ts'),
        'src/server/a.ts': `${imports('../../schema/x.ts')}process.env.PORT; // import '../cli/x.ts'`,
        'src/cli/commands/a.ts': `${imports('../../server/x.ts')}await import('./b.ts'); const s = "import '../../../x'";`,
      }),
    ).toEqual([]);
  });

  const headers = {
    'native/core/a.h': '',
    'native/models/a.h': '',
    'native/diff/a.h': '',
    'native/ops/a.h': '',
  };
  test.each([
    ['upwards', 'native/ops/a.cpp', '#include "models/a.h"', 'ops may not include models/a.h'],
    ['sideways', 'native/models/a.cpp', '#  include "diff/a.h"', 'models may not include diff/a.h'],
    ['no header', 'native/ops/a.cpp', '#include "a.h"', '"a.h" is no header, written from native/ on'],
    ['Node', 'native/core/a.cpp', '#include <napi.h>', 'napi.h may be included in binding only'],
    [
      'oneDNN',
      'native/models/a.cpp',
      '#include <oneapi/dnnl/dnnl.hpp>',
      'oneapi/dnnl/dnnl.hpp may be included in ops only',
    ],
    ['from a new folder', 'native/misc/a.cpp', '', 'stands in no folder of the table'],
  ])('rejects C++ that includes %s', (_, path, text, violation) => {
    expect(check({ ...headers, [path]: text })).toEqual([`${path}: ${violation}`]);
  });

  test('accepts the includes the table allows', () => {
    const text = '#include "core/a.h"\n#include "ops/a.h"\n#include <vector>\n';
    expect(check({ ...headers, 'native/diff/a.cpp': text, 'native/ops/b.cpp': '#include <dnnl.h>' })).toEqual(
      [],
    );
    expect(check({ ...headers, 'native/binding/a.cpp': `${text}#include <napi.h>` })).toEqual([]);
  });
});
