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

/** The payload of a mutation that deletes a node. */
export function deletedPayload(name: string) {
  return builder.objectRef<{ deletedId: string }>(name).implement({
    description: 'Confirms the deletion.',
    fields: (t) => ({
      deletedId: t.exposeID('deletedId', { description: 'The id of the deleted object: remove it from your cache.' }),
    }),
  });
}
