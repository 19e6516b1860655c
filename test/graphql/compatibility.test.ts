import { buildSchema, findBreakingChanges, findDangerousChanges, printSchema } from 'graphql';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { schema } from '../../schema/index.ts';

const read = (name: string) => readFileSync(new URL(`../../schema/${name}`, import.meta.url), 'utf8');
const released = buildSchema(read('released.graphql'));

interface Accepted {
  /** The change in the words of the test that found it. */
  change: string;
  /** Why clients are broken all the same. */
  reason: string;
}

it('breaks nothing that was released, but for what schema/accepted-breaks.json accepts with a reason', ({
  annotate,
}) => {
  const accepted = JSON.parse(read('accepted-breaks.json')) as Accepted[];
  for (const { reason } of accepted) expect(reason).toMatch(/^.{20,}\.$/s);
  const breaking = findBreakingChanges(released, schema).map(({ description }) => description);
  expect(breaking.sort()).toEqual(accepted.map(({ change }) => change).sort());
  // These break only clients that are not ready for more: listed, not refused.
  const dangerous = findDangerousChanges(released, schema).map(({ description }) => description);
  if (dangerous.length > 0) void annotate(`since the release: ${dangerous.join(' ')}`);
});

describe('finds a schema that', () => {
  /** Without descriptions, so that text stands next to text. */
  const sdl = printSchema(buildSchema(printSchema(schema).replaceAll(/"""[^]*?"""/g, '')));
  it.each<[string, string | RegExp, string, string]>([
    ['lost a type', /\bHeatMap\b/g, 'Plot', 'TYPE_REMOVED'],
    ['lost a field', '  tiedHead: Boolean!\n', '', 'FIELD_REMOVED'],
    ['renamed a field', '  tiedHead: Boolean!', '  headTied: Boolean!', 'FIELD_REMOVED'],
    ['gives another type', '  vocabSize: Int!', '  vocabSize: String!', 'FIELD_CHANGED_KIND'],
    ['gives null where there was none', '  vocabSize: Int!', '  vocabSize: Int', 'FIELD_CHANGED_KIND'],
    ['gives one in the place of a list', '): [Node]!', '): Node!', 'FIELD_CHANGED_KIND'],
    ['lost an argument', /statistic: MapStatistic! = RELATIVE_NORM/, 'what: String', 'ARG_REMOVED'],
    ['takes another type of argument', /top: Int! = 20\b/g, 'top: String! = "20"', 'ARG_CHANGED_KIND'],
    ['demands an argument', 'similarity(', 'similarity(c: Int!, ', 'REQUIRED_ARG_ADDED'],
    [
      'demands a member of an input',
      'input TagAddInput {',
      'input TagAddInput { why: String!',
      'REQUIRED_INPUT_FIELD_ADDED',
    ],
    [
      'lost a member of an input',
      /input StringFilter \{/,
      'input StringFilter { x: Int } input Old {',
      'FIELD_REMOVED',
    ],
    ['lost a value of an enum', /^ {2}ZERO_BASE\n/m, '', 'VALUE_REMOVED_FROM_ENUM'],
    [
      'lost a member of a union',
      'union Taggable = Organism | Run',
      'union Taggable = Run',
      'TYPE_REMOVED_FROM_UNION',
    ],
    ['lost an interface', 'type Corpus implements Node {', 'type Corpus {', 'IMPLEMENTED_INTERFACE_REMOVED'],
    ['made a type into another kind', 'scalar BigInt', 'enum BigInt { A }', 'TYPE_CHANGED_KIND'],
  ])('%s', (_, from, to, type) => {
    const planted = sdl.replace(from, to);
    expect(planted).not.toBe(sdl);
    const changes = findBreakingChanges(schema, buildSchema(planted)).map((change) => change.type as string);
    expect(changes).toContain(type);
  });

  it('only grew', () => {
    const grown = sdl
      .replace('similarity(', 'similarity(exact: Boolean = true, ')
      .replace('type Corpus implements Node {', 'type Corpus implements Node { more: Int');
    expect(findBreakingChanges(schema, buildSchema(grown))).toEqual([]);
  });
});
