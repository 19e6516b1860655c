import { getIntrospectionQuery } from 'graphql';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { schema } from '../../schema/index.ts';
import { ByteLru } from '../../src/lib/byte-lru.ts';
import { Documents } from '../../src/server/graph/documents.ts';

describe('ByteLru', () => {
  it('keeps what was used last, up to its bytes', () => {
    const lru = new ByteLru<number>(10);
    lru.set('a', 1, 4);
    lru.set('b', 2, 4);
    lru.get('a');
    lru.set('c', 3, 4);
    expect(['a', 'b', 'c'].map((key) => lru.get(key))).toEqual([1, undefined, 3]);
    expect([lru.bytes, lru.size]).toEqual([8, 2]);
    lru.set('a', 4, 6); // grown in its place
    expect([lru.get('a'), lru.bytes]).toEqual([4, 10]);
    lru.set('d', 5, 11); // never fits
    expect([lru.get('d'), lru.bytes]).toEqual([undefined, 10]);
  });
});

describe('documents', () => {
  it('are judged once, good or not, and compiled at their second use', () => {
    const documents = new Documents(schema, 2 ** 20);
    const prepared = documents.prepare('{ __typename }');
    expect(documents.prepare('{ __typename }')).toBe(prepared);
    const operation = documents.operation(prepared, null)!;
    expect(documents.compiled(prepared, operation)).toBeUndefined();
    const before = documents.kept.bytes;
    expect(documents.compiled(prepared, operation)).toBeTypeOf('function');
    expect(documents.kept.bytes).toBeGreaterThan(before);
    for (const bad of ['{', '{ nothing }']) {
      const refused = documents.prepare(bad);
      expect(refused.errors).toHaveLength(1);
      expect(documents.prepare(bad)).toBe(refused);
    }
    expect(documents.kept.entries).toBe(3);
  });

  it('are compiled where a variable is a filter, whose members are filters', () => {
    const documents = new Documents(schema, 2 ** 20);
    const prepared = documents.prepare(
      'query ($where: ProjectionFilter, $all: Boolean!) { projections(where: $where) { totalCount @include(if: $all) } }',
    );
    const operation = documents.operation(prepared, null)!;
    documents.compiled(prepared, operation);
    expect(documents.compiled(prepared, operation)).toBeTypeOf('function');
  });

  it('are kept from their second use on where they are large, and not at all where they are refused as well', () => {
    const documents = new Documents(schema, 2 ** 24);
    const large = `{ ${'runs { edges { node { key } } } '.repeat(40)} }`;
    const first = documents.prepare(large);
    expect([first.errors, documents.kept.entries]).toEqual([[], 0]);
    const second = documents.prepare(large);
    expect(second).not.toBe(first);
    expect(documents.prepare(large)).toBe(second);
    for (let i = 0; i < 3; i++) documents.prepare(large.replaceAll('key', 'nothing'));
    expect(documents.kept.entries).toBe(1);
  });

  it('report at most twenty errors', () => {
    const { errors } = new Documents(schema, 2 ** 20).prepare(
      `{ ${Array.from({ length: 500 }, (_, i) => `nothing${i}`).join(' ')} }`,
    );
    expect(errors).toHaveLength(20); // the last says so
  });

  it('cannot fill the memory, however many and long they are', () => {
    const most = 16 * 2 ** 20;
    const documents = new Documents(schema, most);
    const field = 'runs { edges { node { key } } } ';
    for (let i = 0; i < 300; i++) {
      const long = `# ${i} ${'x'.repeat(90_000)}\n{ ${field.repeat(100)} }`;
      const prepared = documents.prepare(long);
      const operation = documents.operation(prepared, null)!;
      documents.compiled(prepared, operation);
      documents.compiled(prepared, operation);
      expect(documents.kept.bytes).toBeLessThanOrEqual(most);
    }
    expect(documents.kept.entries).toBeGreaterThan(3);
  });

  it('take no more of the heap than they are counted for', () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const documents = new Documents(schema, 2 ** 30);
    const introspection = getIntrospectionQuery();
    const use = (from: number, to: number) => {
      for (let i = from; i < to; i++) {
        const prepared = documents.prepare(`${introspection} # ${i}`);
        const operation = documents.operation(prepared, null)!;
        documents.compiled(prepared, operation);
        documents.compiled(prepared, operation)?.(undefined, {}, {});
      }
    };
    use(0, 5); // what is made once
    gc();
    const [heap, counted] = [process.memoryUsage().heapUsed, documents.kept.bytes];
    use(5, 105);
    gc();
    expect(process.memoryUsage().heapUsed - heap).toBeLessThan(documents.kept.bytes - counted);
  });
});
