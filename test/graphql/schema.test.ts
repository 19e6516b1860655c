import {
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
  lexicographicSortSchema,
  printSchema,
} from 'graphql';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { schema } from '../../schema/index.ts';

const types = Object.values(schema.getTypeMap()).filter(
  (type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type),
);

it('is printed in schema/schema.graphql (npm run schema:print)', () => {
  const file = new URL('../../schema/schema.graphql', import.meta.url);
  expect(`${printSchema(lexicographicSortSchema(schema))}\n`).toBe(readFileSync(file, 'utf8'));
});

it('describes every type, field, argument and enum value', () => {
  const silent: string[] = [];
  const check = (name: string, described: { description?: string | null | undefined }) => {
    if (!/^\S.*[.…]$/s.test(described.description ?? '')) silent.push(name);
  };
  for (const type of types) {
    check(type.name, type);
    if (isEnumType(type)) for (const value of type.getValues()) check(`${type.name}.${value.name}`, value);
    if (isObjectType(type) || isInterfaceType(type) || isInputObjectType(type)) {
      for (const field of Object.values(type.getFields())) {
        check(`${type.name}.${field.name}`, field);
        if ('args' in field)
          for (const arg of field.args) check(`${type.name}.${field.name}(${arg.name})`, arg);
      }
    }
  }
  expect(silent).toEqual([]);
});

it('says when a nullable field is null', () => {
  const silent: string[] = [];
  for (const type of types.filter(isObjectType)) {
    for (const field of Object.values(type.getFields())) {
      const nullable = !field.type.toString().endsWith('!');
      if (nullable && !/null/i.test(field.description ?? '')) silent.push(`${type.name}.${field.name}`);
    }
  }
  expect(silent).toEqual([]);
});

it('names fields in camelCase and enum values in SCREAMING_CASE', () => {
  for (const type of types) {
    if (isEnumType(type)) for (const { name } of type.getValues()) expect(name).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
    if (isObjectType(type))
      for (const name of Object.keys(type.getFields())) expect(name).toMatch(/^[a-z][A-Za-z0-9]*$/);
  }
});

it('has a way up from every node below an organism to its run', () => {
  const ways = [
    'ProjectionToken.projection',
    'Projection.diffVector',
    'Vector.diffVector',
    'DiffVector.layer',
    'RunLayer.run',
    'Divergence.run',
    'PrincipalComponents.diffVector',
    'CausalEffect.diffVector',
    'SteeringExperiment.diffVector',
    'Sample.experiment',
    'Similarity.experiment',
    'Neighbour.diffVector',
  ];
  for (const way of [...ways, 'Run.organism', 'Run.corpus', 'Run.baseModel', 'Organism.baseModel']) {
    const [name = '', field = ''] = way.split('.');
    const type = schema.getType(name);
    expect(isObjectType(type) && getNamedType(type.getFields()[field]?.type), way).toBeTruthy();
  }
});
