import {
  type GraphQLNamedType,
  type GraphQLObjectType,
  getNamedType,
  isAbstractType,
  isLeafType,
  OverlappingFieldsCanBeMergedRule,
  parse,
  validate,
} from 'graphql';
import { describe, expect, test } from 'vitest';
import { schema } from '../support/schema-cases.ts';

/** All fields of an object type, with their own fields down to `depth` levels. */
function selectionOf(type: GraphQLNamedType, depth: number): string {
  if (isAbstractType(type)) return `{ __typename ${fragments(type, depth)} }`;
  const fields = Object.values((type as GraphQLObjectType).getFields()).flatMap(({ name, type: of }) => {
    const named = getNamedType(of);
    if (isLeafType(named)) return [name];
    return depth > 0 ? [`${name} ${selectionOf(named, depth - 1)}`] : [`${name} { __typename }`];
  });
  return `{ __typename ${fields.join(' ')} }`;
}

const fragments = (type: GraphQLNamedType, depth: number): string =>
  isAbstractType(type)
    ? schema
        .getPossibleTypes(type)
        .map((possible) => `... on ${possible.name} ${selectionOf(possible, depth)}`)
        .join(' ')
    : '';

// Nobody selects all fields of all types that have an id.
const abstract = Object.values(schema.getTypeMap()).filter((type) => isAbstractType(type) && type.name !== 'Node');

describe.each(abstract.map(({ name }) => name))('%s', (name) => {
  test('can be selected with all fields of all its types without aliases', () => {
    const type = schema.getType(name) as GraphQLNamedType;
    const document = parse(`fragment All on ${name} { ${fragments(type, 1)} }`);
    expect(validate(schema, document, [OverlappingFieldsCanBeMergedRule]).map(({ message }) => message)).toEqual([]);
  });
});

test('the check finds conflicts', () => {
  const [run, step] = ['Run', 'Step'].map((name) => `... on ${name} ${selectionOf(schema.getType(name) as never, 0)}`);
  const document = parse(`fragment All on Node { ${run} ${step} }`);
  expect(validate(schema, document, [OverlappingFieldsCanBeMergedRule])).not.toEqual([]);
});
