import { type ExecutionArgs, getOperationAST, Kind, type SelectionNode } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { NoRoomError } from '../../domain/error.ts';
import { codedError } from '../../graphql/schema/error.ts';

/** Mutations that make room, or stop something. */
const allowed = /^(delete|cancel|revoke)/;

/** Refuses mutations while the disk of the database is full, except those that make room. */
export function useFullDisk(isFull: () => boolean): Plugin {
  return {
    onExecute: ({ args, setResultAndStopExecution }) => {
      if (!isFull()) return;
      const { document, operationName } = args as unknown as ExecutionArgs;
      const operation = getOperationAST(document, operationName);
      if (operation?.operation !== 'mutation' || operation.selectionSet.selections.every(isAllowed)) return;
      const refusal = new NoRoomError('The disk of the server is full. Try again later, or delete something.');
      setResultAndStopExecution({ errors: [codedError(refusal)] });
    },
  };
}

const isAllowed = (selection: SelectionNode) => selection.kind === Kind.FIELD && allowed.test(selection.name.value);
