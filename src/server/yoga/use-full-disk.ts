import { type ExecutionArgs, getOperationAST, Kind, type SelectionNode } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { NoRoomError } from '../../domain/error.ts';
import { requestError } from '../session/request-error.ts';

/** Mutations that make room, or stop something. */
const allowed = /^(delete|cancel|revoke)/;

/** Refuses mutations while the disk of the database is full, except those that make room. */
export function useFullDisk(isFull: () => boolean): Plugin {
  const check = ({ args }: { args: ExecutionArgs }) => {
    if (!isFull()) return;
    const operation = getOperationAST(args.document, args.operationName);
    if (operation?.operation !== 'mutation' || operation.selectionSet.selections.every(isAllowed)) return;
    throw requestError(new NoRoomError('The disk of the server is full. Try again later, or delete something.'));
  };
  return { onExecute: check as never };
}

const isAllowed = (selection: SelectionNode) => selection.kind === Kind.FIELD && allowed.test(selection.name.value);
