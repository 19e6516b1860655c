import { parse, validate } from 'graphql';
import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as limits from '../../schema/limits.ts';
import { schema } from '../../schema/index.ts';

const page = new URL('../../docs/graph.md', import.meta.url);
const text = readFileSync(page, 'utf8');

it('gives limits as they are', () => {
  const units = { KiB: 1024, MiB: 1024 ** 2 };
  const named = [...text.matchAll(/([\d,]+)(?: (KiB|MiB))?[^`.;\d]*\(`(max\w+|default\w+)`\)/g)];
  const given = named.map(([, number = '', unit, name = '']) => [
    name,
    Number(number.replaceAll(',', '')) * (unit ? units[unit as keyof typeof units] : 1),
  ]);
  expect(given.length).toBeGreaterThan(9);
  expect(given).toEqual(given.map(([name]) => [name, limits[name as keyof typeof limits]]));
});

it('has queries that the schema takes, names what it has, and links to what is there', () => {
  for (const [, query = ''] of text.matchAll(/```graphql\n(.*?)```/gs)) {
    expect(validate(schema, parse(query))).toEqual([]);
  }
  for (const [, type = '', field = ''] of text.matchAll(/`([A-Z][A-Za-z]+)\.([a-z]\w+)[`(]/g)) {
    const owner = schema.getType(type);
    expect([type, field, owner && 'getFields' in owner && field in owner.getFields()]).toEqual([
      type,
      field,
      true,
    ]);
  }
  for (const [, link = ''] of text.matchAll(/\]\(([^)#]+)\)/g)) {
    expect([link, existsSync(new URL(link, page))]).toEqual([link, true]);
  }
});
