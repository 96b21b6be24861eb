import type { DomainError } from '../domain/error.ts';
import { builder } from './builder.ts';

type Refusal = new (...args: never[]) => DomainError;

/** The `errors` option of a field whose result union is named `<name>Result`: its payload and these refusals. */
export function resultErrors(name: string, types: Refusal[]) {
  return {
    types: types as unknown as Array<new (...args: unknown[]) => Error>,
    directResult: true as const,
    union: { name: `${name}Result`, description: `What ${name} answers: its payload, or why it was refused.` },
  };
}

/** The payload of a mutation that deletes something. */
export function deletedPayload(name: string) {
  return builder.objectRef<{ deletedId: string }>(name).implement({
    description: 'What was deleted.',
    fields: (t) => ({ deletedId: t.exposeID('deletedId', { description: 'The id it had.' }) }),
  });
}
