import type { GraphQLResolveInfo } from 'graphql';

/** Whether the client selected nothing of an object but its `id`, so that it need not be read. */
export function selectsOnlyId({ fieldNodes }: GraphQLResolveInfo): boolean {
  const selections = fieldNodes.flatMap(({ selectionSet }) => selectionSet?.selections ?? []);
  return selections.every(
    (selection) => selection.kind === 'Field' && ['id', '__typename'].includes(selection.name.value),
  );
}
