import { readFileSync } from 'node:fs';
import { buildSchema, isEnumType, isInputObjectType, isInterfaceType, isObjectType, parse } from 'graphql';
import { expect, test } from 'vitest';
import { printedSchema } from '../src/graphql/schema/print-schema.ts';

const printed = printedSchema();

test('schema.graphql is what the code prints: run "npm run schema" after a change', () => {
  expect(readFileSync(new URL('../schema.graphql', import.meta.url), 'utf8')).toBe(printed);
});

/** The definitions of the schema, by their paths; those of graphql-js itself left out. */
function* definitions(): Generator<[string, { description?: string | null }]> {
  const builtIn = new Set(['String', 'Int', 'Float', 'Boolean', 'ID']);
  for (const type of Object.values(buildSchema(printed).getTypeMap())) {
    if (type.name.startsWith('__') || builtIn.has(type.name)) continue;
    yield [type.name, type];
    const values = isEnumType(type) ? type.getValues() : [];
    const hasFields = isInputObjectType(type) || isObjectType(type) || isInterfaceType(type);
    for (const part of [...values, ...(hasFields ? Object.values(type.getFields()) : [])]) {
      yield [`${type.name}.${part.name}`, part];
      const parameters = 'args' in part ? part.args : [];
      for (const argument of parameters) yield [`${type.name}.${part.name}(${argument.name})`, argument];
    }
  }
}

test('every type, field, argument and enum value has a description', () => {
  const bare = [...definitions()].filter(([, { description }]) => !description?.trim());
  expect(bare.map(([path]) => path)).toEqual([]);
});

test('every mutation takes one input and answers a result union of its name', () => {
  const mutation = buildSchema(printed).getMutationType();
  for (const field of Object.values(mutation?.getFields() ?? {})) {
    const name = `${field.name[0]?.toUpperCase()}${field.name.slice(1)}`;
    expect(field.args.map((argument) => `${argument.name}: ${argument.type}`)).toEqual([`input: ${name}Input!`]);
    expect(String(field.type)).toBe(`${name}Result!`);
  }
});

test('the printed schema can be parsed by anybody', () => {
  expect(parse(printed).definitions.length).toBeGreaterThan(100);
});
