import {
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isNonNullType,
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

/** Arguments and members of inputs, by their place. */
const inputs = types.flatMap((type) =>
  isInputObjectType(type)
    ? Object.values(type.getFields()).map((field) => ({ place: `${type.name}.${field.name}`, ...field }))
    : isObjectType(type)
      ? Object.values(type.getFields()).flatMap((field) =>
          field.args.map((arg) => ({ place: `${type.name}.${field.name}(${arg.name})`, ...arg })),
        )
      : [],
);

it('says what an argument or member that may be left out means when it is', () => {
  // A filter says it once for all its conditions; first, last and cursors mean what Relay says.
  const said = /^(\w+Filter)\.|\((first|last|after|before)\)$/;
  const silent = inputs
    .filter(
      ({ place, type, defaultValue }) =>
        !isNonNullType(type) && defaultValue === undefined && !said.test(place),
    )
    .filter(({ description }) => !/null|absent|by the client/i.test(description ?? ''))
    .map(({ place }) => place);
  expect(silent).toEqual([]);
});

it('gives the range of every number that is given', () => {
  const range = /\d+ (to|or more)|from \d|above \d|0-based/i;
  const silent = inputs
    .filter(({ type }) => ['Int', 'Float'].includes(getNamedType(type).name))
    .filter(({ place }) => !/^(Int|Float)Filter\./.test(place))
    .filter(({ description }) => !range.test(description ?? ''))
    .map(({ place }) => place);
  expect(silent).toEqual([]);
});

it('gives the unit of every float, or says that it has none', () => {
  const unit =
    /unit|-1\.\.1|0\.\.1|milliseconds|seconds|nats|bytes|‖|frobenius|norm|ratio|per |multiple|probability|strength|perplexity|share|eigenvalue|units|cosine|variance|multiplied/i;
  const silent: string[] = [];
  for (const type of types.filter(isObjectType)) {
    for (const field of Object.values(type.getFields())) {
      if (getNamedType(field.type).name === 'Float' && !unit.test(field.description ?? ''))
        silent.push(`${type.name}.${field.name}: ${field.description ?? ''}`);
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
