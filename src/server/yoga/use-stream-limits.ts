import {
  type ASTVisitor,
  type DocumentNode,
  type ExecutionArgs,
  GraphQLError,
  Kind,
  type OperationDefinitionNode,
  type ValidationContext,
  type ValueNode,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';

const isNegative = (value?: ValueNode) =>
  value?.kind === Kind.NULL || (value?.kind === Kind.INT && Number(value.value) < 0);

const negative = (node: ValueNode) =>
  new GraphQLError('The argument initialCount of @stream must be a number from 0.', {
    nodes: node,
    extensions: { code: 'BAD_USER_INPUT' },
  });

/** Refuses a negative `initialCount` of @stream: the executor would fail. */
export function useStreamLimits(): Plugin {
  /** The variables that documents use as `initialCount`. */
  const variables = new WeakMap<DocumentNode, Set<string>>();

  const rule = (context: ValidationContext): ASTVisitor => ({
    Directive({ name, arguments: args = [] }) {
      if (name.value !== 'stream') return;
      const value = args.find((arg) => arg.name.value === 'initialCount')?.value;
      if (value && isNegative(value)) context.reportError(negative(value));
      if (value?.kind !== Kind.VARIABLE) return;
      const document = context.getDocument();
      variables.set(document, (variables.get(document) ?? new Set()).add(value.name.value));
    },
  });

  return {
    onValidate: ({ addValidationRule }) => addValidationRule(rule),
    onExecute: ({ args, setResultAndStopExecution }) => {
      const names = variables.get(args.document);
      const error = names && variableError(args as ExecutionArgs, names);
      if (error) setResultAndStopExecution({ errors: [error] });
    },
  };
}

/** The error for a variable that gives `initialCount` a negative value, itself or by its default. */
function variableError({ document, variableValues }: ExecutionArgs, names: Set<string>): GraphQLError | null {
  const operations = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  for (const { variableDefinitions = [] } of operations as OperationDefinitionNode[]) {
    for (const { variable, defaultValue } of variableDefinitions) {
      const { value: name } = variable.name;
      if (!names.has(name)) continue;
      const given = variableValues?.[name];
      const isWrong =
        given === undefined ? isNegative(defaultValue) : given === null || (typeof given === 'number' && given < 0);
      if (isWrong) return negative(variable);
    }
  }
  return null;
}
