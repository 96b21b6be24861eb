import { GraphQLError, NoSchemaIntrospectionCustomRule } from 'graphql';
import type { Plugin } from 'graphql-yoga';

/** Refuses introspection, and removes suggestions from validation errors: they would disclose the schema name by name. */
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
