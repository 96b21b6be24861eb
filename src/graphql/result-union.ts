import type { ObjectRef } from '@pothos/core';
import type { DomainError } from '../domain/error.ts';
import { builder } from './builder.ts';

type ErrorClass = new (...args: never[]) => DomainError;

/** The `errors` option of a field whose result union is named `<name>Result`: its payload and these errors. */
export function resultErrors(name: string, types: ErrorClass[]) {
  const field = `${name.charAt(0).toLowerCase()}${name.slice(1)}`;
  return {
    types: types as unknown as Array<new (...args: unknown[]) => Error>,
    directResult: true as const,
    union: {
      name: `${name}Result`,
      description: `The result of \`${field}\`: the payload, or the error that explains why it was refused.`,
    },
  };
}

/** The payload of a mutation that creates or changes a node. Its only field, `field`, holds the node. */
export function nodePayload<Field extends string, Node extends object>(
  name: string,
  field: Field,
  type: ObjectRef<(typeof builder)['$inferSchemaTypes'], Node>,
  description: string,
) {
  return builder.objectRef<Record<Field, Node>>(name).implement({
    description,
    fields: (t) => ({
      [field]: t.field({
        type: type as never,
        description: 'The state after the mutation.',
        resolve: (payload) => payload[field] as never,
      }),
    }),
  });
}

/** The payload of a mutation that deletes a node, without the node's parent. */
export function deletedPayload<Deleted extends { deletedId: string } = { deletedId: string }>(name: string) {
  return builder.objectRef<Deleted>(name).implement({
    description: 'Confirms the deletion.',
    fields: (t) => ({
      deletedId: t.id({
        description: 'The id of the deleted object: remove it from your cache.',
        resolve: ({ deletedId }) => deletedId,
      }),
    }),
  });
}

/** The payload of a mutation that deletes a node of the workspace. */
export function deletedFromWorkspace(name: string) {
  const payload = deletedPayload(name);
  builder.objectField(payload, 'workspace', (t) =>
    t.prismaField({
      type: 'Workspace',
      description: 'The workspace that contained the object: update its lists.',
      resolve: (query, _payload, _args, ctx) =>
        ctx.db.workspace.findUniqueOrThrow({ ...query, where: { id: ctx.workspaceId } }),
    }),
  );
  return payload;
}
