import { readFileSync } from 'node:fs';
import {
  buildSchema,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLOutputType,
  getNamedType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  isUnionType,
} from 'graphql';

/** The printed schema. */
export const schema = buildSchema(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'));

export type RootField = GraphQLField<unknown, unknown>;
export type OperationKind = 'query' | 'mutation' | 'subscription';

/** All fields of the root types. */
export const rootFields: Record<OperationKind, RootField[]> = {
  query: Object.values(schema.getQueryType()?.getFields() ?? {}),
  mutation: Object.values(schema.getMutationType()?.getFields() ?? {}),
  subscription: Object.values(schema.getSubscriptionType()?.getFields() ?? {}),
};

/** A value for an input type; every ID in it is `id`. */
function inputFor(type: GraphQLInputType, id: string, depth = 0): unknown {
  const nullable = getNullableType(type);
  if (isListType(nullable)) return [inputFor(nullable.ofType, id, depth)];
  if (isEnumType(nullable)) return nullable.getValues()[0]?.name;
  if (isInputObjectType(nullable)) {
    const fields = Object.values(nullable.getFields());
    const simple = fields.filter(({ name }) => name === 'text' || name === 'function');
    const chosen = nullable.isOneOf && simple.length > 0 ? simple : fields;
    const wanted = chosen.filter((field) => isNonNullType(field.type) || hasId(field.type) || nullable.isOneOf);
    return Object.fromEntries(
      wanted
        .slice(0, nullable.isOneOf ? 1 : undefined)
        .flatMap((field) => (depth > 3 ? [] : [[field.name, inputFor(field.type, id, depth + 1)]])),
    );
  }
  const samples: Record<string, unknown> = {
    ID: id,
    Int: 1,
    Float: 1,
    Boolean: false,
    JSON: {},
    Metadata: { by: 'foreigner' },
    Upload: new File(['x'], 'x.txt'),
    DateTime: '2026-01-01T00:00:00Z',
  };
  return nullable.name in samples ? samples[nullable.name] : 'text';
}

const hasId = (type: GraphQLInputType): boolean => getNamedType(type).name === 'ID';

/** Whether a selection includes a field. */
export type FieldTest = (type: string, field: string) => boolean;

/**
 * A selection of the fields that `includes` names, by default all, without those that have required arguments: `depth`
 * levels deep. Union members may have fields with one name and different types: `tag` gives each member's fields unique
 * aliases.
 */
export function selectionOf(
  type: GraphQLOutputType,
  depth: number,
  includes: FieldTest = () => true,
  tag = '',
): string {
  const named = getNamedType(type);
  if (isUnionType(named)) {
    if (depth === 0) return '{ __typename }';
    const members = named
      .getTypes()
      .map((member, index) => `... on ${member.name} ${selectionOf(member, depth - 1, includes, `${tag}m${index}_`)}`);
    return `{ __typename ${members.join(' ')} }`;
  }
  if (!isObjectType(named) && !isInterfaceType(named)) return '';
  const fields = Object.values(named.getFields()).flatMap((field) => {
    const inner = getNamedType(field.type);
    const isLeaf = !isObjectType(inner) && !isInterfaceType(inner) && !isUnionType(inner);
    const name = tag ? `${tag}${field.name}: ${field.name}` : field.name;
    if (!includes(named.name, field.name) || field.args.some((argument) => isNonNullType(argument.type))) return [];
    if (isLeaf) return [name];
    return depth > 0 ? [`${name} ${selectionOf(field.type, depth - 1, includes)}`] : [];
  });
  return `{ __typename ${fields.join(' ')} }`;
}

/** An operation for a root field, with `id` as the value of every ID. `includes`: the fields of its selection. */
export function operationFor(kind: OperationKind, field: RootField, id: string, depth: number, includes?: FieldTest) {
  const used = field.args.filter(({ type }) => isNonNullType(type) || hasId(type));
  const head = used.map(({ name, type }) => `$${name}: ${type}`).join(', ');
  const call = used.map(({ name }) => `${name}: $${name}`).join(', ');
  const variables = Object.fromEntries(used.map(({ name, type }) => [name, inputFor(type, id)]));
  const selection = selectionOf(field.type, depth, includes);
  return { query: `${kind}${head && `(${head})`} { ${field.name}${call && `(${call})`} ${selection} }`, variables };
}

/** The scopes that a description states as required; null if it states no permission. */
export function statedPermission(description: string | null | undefined): string[] | null {
  if (/(Requires no scope|Requires an API key, with any scopes)\.$/.test(description ?? '')) return [];
  const [, scopes] = /Requires the scopes? ([A-Z_]+(?: and [A-Z_]+)*)\.$/.exec(description ?? '') ?? [];
  return scopes?.split(' and ') ?? null;
}
