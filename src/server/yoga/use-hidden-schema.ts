import { GraphQLError, NoSchemaIntrospectionCustomRule } from 'graphql';
import type { Plugin } from 'graphql-yoga';

/** Refuses introspection, and takes from refusals the suggestions that would give the schema away word by word. */
export function useHiddenSchema(): Plugin {
  return {
    onValidate: ({ addValidationRule }) => {
      addValidationRule(NoSchemaIntrospectionCustomRule);
      return ({ valid, result, setResult }) => {
        if (!valid) setResult(result.map((error) => withoutSuggestions(error as GraphQLError)));
      };
    },
  };
}

function withoutSuggestions(error: GraphQLError): GraphQLError {
  const { nodes, source, positions, path, originalError, extensions } = error;
  const message = error.message.replace(/ Did you mean .*\?$/s, '');
  return new GraphQLError(message, { nodes, source, positions, path, originalError, extensions });
}
