import {
  type FragmentSpreadNode,
  type GraphQLAbstractType,
  type GraphQLCompositeType,
  GraphQLIncludeDirective,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  GraphQLSkipDirective,
  getDirectiveValues,
  getNamedType,
  type InlineFragmentNode,
  isAbstractType,
  isCompositeType,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import { ForbiddenError } from '../domain/error.ts';

/**
 * Throws ForbiddenError, which names the field, when the selection of a field in execution contains one that is refused.
 * The field can be on any type that its value can have. `refusalOf` returns the error of a field; null: it is allowed.
 */
export function requireSelection(
  info: GraphQLResolveInfo,
  refusalOf: (type: string, field: string) => ForbiddenError | null,
): void {
  for (const [type, field] of selectedFields(info)) {
    const refusal = refusalOf(type, field);
    if (!refusal) continue;
    const howTo = `Nothing was changed: remove \`${field}\` of ${type} from the selection, or use a credential that may read it.`;
    throw new ForbiddenError(refusal.requiredScope, `${refusal.message} ${howTo}`, refusal.requiredOverride);
  }
}

/** The fields that a selection can read, at any depth: the name of each possible type, and the name of the field. */
function selectedFields(info: GraphQLResolveInfo): Iterable<[type: string, field: string]> {
  const found = new Map<string, [string, string]>();
  const entered = new Set<string>();

  function visitSet(set: SelectionSetNode | undefined, types: readonly GraphQLObjectType[]): void {
    for (const selection of set?.selections ?? []) if (isIncluded(selection, info)) visit(selection, types);
  }

  function visit(selection: SelectionNode, types: readonly GraphQLObjectType[]): void {
    if (selection.kind === Kind.FIELD) visitField(selection.name.value, selection.selectionSet, types);
    else visitFragment(selection, types);
  }

  function visitFragment(
    selection: FragmentSpreadNode | InlineFragmentNode,
    types: readonly GraphQLObjectType[],
  ): void {
    const isSpread = selection.kind === Kind.FRAGMENT_SPREAD;
    const fragment = isSpread ? info.fragments[selection.name.value] : selection;
    const condition = fragment?.typeCondition && info.schema.getType(fragment.typeCondition.name.value);
    const within = condition ? possibleTypes(condition as GraphQLCompositeType, info) : types;
    const narrowed = types.filter((type) => within.includes(type));
    // A fragment that is spread often is visited once for each combination of types.
    const visitKey = isSpread ? `${selection.name.value} ${narrowed.join(' ')}` : null;
    if (visitKey !== null && entered.has(visitKey)) return;
    if (visitKey !== null) entered.add(visitKey);
    visitSet(fragment?.selectionSet, narrowed);
  }

  function visitField(name: string, set: SelectionSetNode | undefined, types: readonly GraphQLObjectType[]): void {
    for (const type of types) {
      const field = type.getFields()[name];
      // `__typename` is a field of no type.
      if (!field) continue;
      found.set(`${type.name}.${name}`, [type.name, name]);
      const named = getNamedType(field.type);
      // A list is read, whatever of it is selected.
      if (named.name.endsWith('Connection')) found.set(`${named.name}.nodes`, [named.name, 'nodes']);
      if (isCompositeType(named)) visitSet(set, possibleTypes(named, info));
    }
  }

  const named = getNamedType(info.returnType);
  for (const { selectionSet } of info.fieldNodes) {
    if (isCompositeType(named)) visitSet(selectionSet, possibleTypes(named, info));
  }
  return found.values();
}

/** The object types that a value of a type can have. */
function possibleTypes(type: GraphQLCompositeType, { schema }: GraphQLResolveInfo): readonly GraphQLObjectType[] {
  return isAbstractType(type) ? schema.getPossibleTypes(type as GraphQLAbstractType) : [type];
}

/** Whether `@skip` and `@include` leave a selection in. */
function isIncluded(selection: SelectionNode, { variableValues }: GraphQLResolveInfo): boolean {
  if (getDirectiveValues(GraphQLSkipDirective, selection, variableValues)?.if === true) return false;
  return getDirectiveValues(GraphQLIncludeDirective, selection, variableValues)?.if !== false;
}
