import { type ExecutionArgs, getOperationAST, Kind, type SelectionNode } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { noCredential } from '../../domain/access/credential.ts';
import { requestError } from '../session/request-error.ts';

/** Part of the context of a request without a credential. */
export interface Anonymous {
  isAnonymous?: true;
}

/** Requires a credential for all operations but introspection: GraphiQL shows the schema before a key is entered. */
export function useAuthentication(): Plugin {
  const check = ({ args }: { args: ExecutionArgs }) => {
    if (!(args.contextValue as Anonymous).isAnonymous) return;
    const operation = getOperationAST(args.document, args.operationName);
    const isSchemaOnly = operation?.selectionSet.selections.every(isIntrospection);
    if (!isSchemaOnly) throw requestError(noCredential());
  };
  return { onExecute: check as never, onSubscribe: check as never };
}

const isIntrospection = (selection: SelectionNode) =>
  selection.kind === Kind.FIELD && selection.name.value.startsWith('__');
