import {
  type DefinitionNode,
  type DocumentNode,
  type ExecutionArgs,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { noCredential } from '../../domain/access/credential.ts';
import { operationLimits } from '../../graphql/limits.ts';
import { requestError } from '../session/request-error.ts';
import { comparisonCost, repeatsTooOften } from './document-size.ts';
import type { Transport } from './transport.ts';

/** Part of the context of a request without a credential. */
export interface Anonymous {
  isAnonymous?: true;
}

/**
 * Requires a credential for all operations but introspection: GraphiQL shows the schema before a key is entered. The document
 * of a stranger is refused before it is validated, which can take many milliseconds.
 */
export function useAuthentication(): Plugin<Transport> {
  const check = ({ args }: { args: ExecutionArgs }) => {
    if (!(args.contextValue as Anonymous).isAnonymous) return;
    const operation = getOperationAST(args.document, args.operationName);
    if (!operation || !isIntrospection(operation)) throw requestError(noCredential());
  };
  return {
    onParse:
      () =>
      ({ context: { isStranger, credentialError }, result }) => {
        const document = result as DocumentNode | Error | null;
        if (!isStranger || !document || document instanceof Error) return;
        if (credentialError) throw credentialError;
        if (!document.definitions.every(isForStrangers)) throw requestError(noCredential());
        if (comparisonCost(document) > operationLimits.strangerComparisons) throw repeatsTooOften();
      },
    onExecute: check as never,
    onSubscribe: check as never,
  };
}

const isForStrangers = (definition: DefinitionNode) =>
  definition.kind !== Kind.OPERATION_DEFINITION || isIntrospection(definition);

const isIntrospection = ({ selectionSet }: OperationDefinitionNode) =>
  selectionSet.selections.every((field) => field.kind === Kind.FIELD && field.name.value.startsWith('__'));
