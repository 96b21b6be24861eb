import {
  type FieldNode,
  type FragmentSpreadNode,
  type GraphQLAbstractType,
  type GraphQLCompositeType,
  GraphQLIncludeDirective,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  GraphQLSkipDirective,
  getArgumentValues,
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
import type { GraphContext } from './context.ts';
import { refusalOf } from './field-access.ts';

/** Throws the error of a field whose arguments are refused. Fields have it as the extension `requireArgs`. */
export type RequireArgs = (args: object, ctx: GraphContext) => void;

/** A field that a selection can read. */
interface Selected {
  type: string;
  field: string;
}

/**
 * Throws ForbiddenError, which names the field, when the selection of a field in execution contains one that the actor may
 * not read, on any type that its value can have; and the error of arguments in the selection that are refused. So nothing
 * is refused after a mutation has changed something, except what depends on the rows.
 */
export function requireSelection(info: GraphQLResolveInfo, ctx: GraphContext): void {
  const { fields, checks } = selectionOf(info, ctx);
  for (const { type, field } of fields) {
    const refusal = refusalOf(ctx, type, field);
    if (!refusal) continue;
    const howTo = `Nothing was changed: remove \`${field}\` of ${type} from the selection, or use a credential that may read it.`;
    throw new ForbiddenError(refusal.requiredScope, `${refusal.message} ${howTo}`, refusal.requiredOverride);
  }
  for (const check of checks) check();
}

/** The fields that a selection can read, at any depth, each once; and the checks of the arguments in it. */
function selectionOf(
  info: GraphQLResolveInfo,
  ctx: GraphContext,
): { fields: Iterable<Selected>; checks: Array<() => void> } {
  const found = new Map<string, Selected>();
  const checks: Array<() => void> = [];
  const entered = new Set<string>();

  function visitSet(set: SelectionSetNode | undefined, types: readonly GraphQLObjectType[]): void {
    for (const selection of set?.selections ?? []) if (isIncluded(selection, info)) visit(selection, types);
  }

  function visit(selection: SelectionNode, types: readonly GraphQLObjectType[]): void {
    if (selection.kind === Kind.FIELD) visitField(selection, types);
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

  function visitField(node: FieldNode, types: readonly GraphQLObjectType[]): void {
    const name = node.name.value;
    for (const type of types) {
      const field = type.getFields()[name];
      // `__typename` is a field of no type.
      if (!field) continue;
      found.set(`${type.name}.${name}`, { type: type.name, field: name });
      const requireArgs = field.extensions.requireArgs as RequireArgs | undefined;
      if (requireArgs) checks.push(() => requireArgs(getArgumentValues(field, node, info.variableValues), ctx));
      const named = getNamedType(field.type);
      // A list is read, whatever of it is selected.
      if (named.name.endsWith('Connection')) found.set(`${named.name}.nodes`, { type: named.name, field: 'nodes' });
      if (isCompositeType(named)) visitSet(node.selectionSet, possibleTypes(named, info));
    }
  }

  const named = getNamedType(info.returnType);
  for (const { selectionSet } of info.fieldNodes) {
    if (isCompositeType(named)) visitSet(selectionSet, possibleTypes(named, info));
  }
  return { fields: found.values(), checks };
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
