import { describe, expect, it } from 'vitest';
import { canonicalJson, type JsonValue } from '../../src/lib/canonical-json.ts';
import { random } from '../harness/random.ts';

/** The definition, plainly. */
function plainly(value: JsonValue): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(plainly).join(',')}]`;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${plainly(member)}`).join(',')}}`;
}

describe('canonicalJson', () => {
  it('sorts members by UTF-16 code unit, whatever their names', () => {
    expect(canonicalJson({ b: [1, { z: null, y: true }], a: 'ü', '\u{10000}': 1, '\uffff': 2 })).toBe(
      '{"a":"ü","b":[1,{"y":true,"z":null}],"\u{10000}":1,"\uffff":2}',
    );
    expect(canonicalJson({ '10': 1, '9': 2, a: { '-1': 0, '2x': 1 } })).toBe(
      '{"10":1,"9":2,"a":{"-1":0,"2x":1}}',
    );
    expect(canonicalJson(JSON.parse('{"b":{"__proto__":{"c":1}},"a":-0}') as JsonValue)).toBe(
      '{"a":0,"b":{"__proto__":{"c":1}}}',
    );
  });

  it('leaves out what is undefined, as JSON does', () => {
    const some = { b: undefined, a: [{ c: undefined }] } as unknown as JsonValue;
    expect(canonicalJson(some)).toBe('{"a":[{}]}');
    expect(canonicalJson({ '1': some })).toBe('{"1":{"a":[{}]}}');
  });

  it('is what its definition says, for values of every shape', () => {
    const next = random(11);
    const names = ['a', 'b', 'B', '1', '01', '10', 'toJSON', '__proto__', 'ä', ''];
    const value = (depth: number): JsonValue => {
      const kind = Math.floor(next() * (depth > 0 ? 7 : 5));
      if (kind < 5)
        return [null, next() < 0.5, next() * 1e9, `"${next()}\\\u2028`, Math.round(next() * 5)][kind]!;
      const length = Math.floor(next() * 5);
      if (kind === 5) return Array.from({ length }, () => value(depth - 1));
      return Object.fromEntries(
        Array.from({ length }, () => [names[Math.floor(next() * names.length)]!, value(depth - 1)]),
      );
    };
    for (let i = 0; i < 2_000; i++) {
      const made = value(4);
      expect(canonicalJson(made)).toBe(plainly(made));
    }
  });

  it.each([NaN, Infinity, -Infinity])('refuses %s anywhere', (number) => {
    expect(() => canonicalJson({ a: [number] })).toThrow(TypeError);
    expect(() => canonicalJson({ '1': number })).toThrow(TypeError);
    expect(canonicalJson({ a: [number, 1] }, { notFinite: null })).toBe('{"a":[null,1]}');
    expect(canonicalJson({ '1': number }, { notFinite: null })).toBe('{"1":null}');
  });
});
