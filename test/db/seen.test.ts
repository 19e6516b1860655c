import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';

// No statement reads what some may not see without saying who may: it has one of the predicates of src/db/visible.ts, or it goes on
// from a row that was found with one, or a comment in the lines above says why everybody's are meant ("everybody’s: …").

/** Tables whose rows are found by names and keys that clients give, or listed. */
const guarded = ['organisms', 'models', 'corpora', 'runs', 'jobs', 'notes', 'graders', 'agent_runs'];
/** What else is reached from those alone. */
const below = [
  'run_layers',
  'diff_vectors',
  'vector_data',
  'projections',
  'projection_tokens',
  'steering_experiments',
  'samples',
  'sample_texts',
  'similarities',
  'grades',
  'causal_effects',
  'divergences',
  'principal_components',
  'job_events',
  'tags',
  'agent_messages',
  'hypotheses',
];
const camel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
const named = (names: readonly string[]) =>
  new RegExp(`\\b(${names.flatMap((name) => [name, camel(name)]).join('|')})\\b`);

const predicate = /\b(visible|listed|visibleJob|withOrganism)\(|\$\{(sees|lists)\}/;
/** Goes on from a row: by its integer key, which no client has. */
const fromRow = /\b(id|[a-z_]+_id|column\}?) = [?@]|\$\{(reading|held)\}/;
const excused = /everybody’s: \S/;

/** Calls that make a statement, with the lines before them. */
function statements(file: string): { line: number; text: string; before: string }[] {
  const text = readFileSync(file, 'utf8');
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const lines = text.split('\n');
  const found: { line: number; text: string; before: string }[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const callee = node.expression.getText();
      if (/^(finder|listing|sqlite\.(prepare|pluck|raw|prepareAsked))$/.test(callee)) {
        const line = source.getLineAndCharacterOfPosition(node.getStart()).line;
        found.push({
          line: line + 1,
          text: node.getText(),
          before: lines.slice(Math.max(0, line - 3), line).join('\n'),
        });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const folder = 'src/db/stores';
const files = [...readdirSync(folder).map((name) => join(folder, name)), 'src/db/named.ts'];

it('every statement of the stores says who sees its rows', () => {
  const silent: string[] = [];
  let counted = 0;
  for (const file of files) {
    for (const { line, text, before } of statements(file)) {
      counted += 1;
      if (/^sqlite\.\w+\(\s*[`'"]\s*insert/.test(text)) continue;
      const ofGuarded = named(guarded).test(text) || file.endsWith('named.ts');
      if (!ofGuarded && !named(below).test(text)) continue;
      const bySelf =
        /^finder\(/.test(text) && /'(id|key) = \?/.test(text) && ofGuarded && !/'id = \?/.test(text);
      const fine = predicate.test(text) || excused.test(before) || (fromRow.test(text) && !bySelf);
      if (!fine) silent.push(`${file}:${line}: ${text.split('\n')[0]}`);
    }
  }
  expect(counted).toBeGreaterThan(60);
  expect(silent).toEqual([]);
});

it('nobody outside src/db holds the database', () => {
  const culprits = ['src', 'schema'].flatMap((root) =>
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter(
        (path) => !path.startsWith('src/db/') && /['"]better-sqlite3['"]/.test(readFileSync(path, 'utf8')),
      ),
  );
  expect(culprits).toEqual([]);
});
