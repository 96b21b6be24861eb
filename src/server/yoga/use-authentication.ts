import { type ExecutionArgs, getOperationAST, Kind, type SelectionNode } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { noCredential } from '../../domain/access/credential.ts';
import { refusedRequest } from '../session/authenticate.ts';

/** The context of a request that came without a credential. */
export interface Anonymous {
  isAnonymous?: true;
}

/**
 * Without a credential only the schema itself may be read: it is public, and GraphiQL shows it before a key is pasted.
 */
export function useAuthentication(): Plugin {
  const check = ({ args }: { args: ExecutionArgs }) => {
    if (!(args.contextValue as Anonymous).isAnonymous) return;
    const operation = getOperationAST(args.document, args.operationName);
    const isOfSchema = operation?.selectionSet.selections.every(isIntrospection);
    if (!isOfSchema) throw refusedRequest(noCredential());
  };
  return { onExecute: check as never, onSubscribe: check as never };
}

const isIntrospection = (selection: SelectionNode) =>
  selection.kind === Kind.FIELD && selection.name.value.startsWith('__');
