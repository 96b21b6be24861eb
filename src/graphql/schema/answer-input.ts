import { builder } from '../builder.ts';

const ResponseFormatType = builder.enumType('ResponseFormatType', {
  description: 'A format of answers without a schema.',
  values: {
    TEXT: { description: 'Any text.' },
    JSON_OBJECT: { description: 'Any JSON object.' },
  } as const,
});

const JsonSchemaFormatInput = builder.inputType('JsonSchemaFormatInput', {
  description: 'A JSON Schema that answers must match.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Name of the format: 1 to 64 letters, digits, _ or -.' }),
    description: t.string({ description: 'What the format is for, for the model: at most 1,024 characters.' }),
    schema: t.field({ type: 'JSON', description: 'The JSON Schema: at most 64,000 characters. Omit for any JSON.' }),
    strict: t.boolean({
      description:
        'Whether the provider must enforce the schema. The server checks answers in any case. Default false.',
    }),
  }),
});

/** The format of answers in an input. */
export const ResponseFormatInput = builder.inputType('ResponseFormatInput', {
  description: 'The format of answers: exactly one of the fields.',
  isOneOf: true,
  fields: (t) => ({
    type: t.field({ type: ResponseFormatType, description: 'A format without a schema.' }),
    jsonSchema: t.field({ type: JsonSchemaFormatInput, description: 'JSON that matches a schema.' }),
  }),
});

const ToolChoiceMode = builder.enumType('ToolChoiceMode', {
  description: 'Whether a model calls tools.',
  values: {
    NONE: { description: 'The model calls no tool.' },
    AUTO: { description: 'The model decides.' },
    REQUIRED: { description: 'The model must call at least one tool.' },
  } as const,
});

/** Whether the model must call tools, and which, in an input. */
export const ToolChoiceInput = builder.inputType('ToolChoiceInput', {
  description: 'Whether and which tool the model must call: exactly one of the fields.',
  isOneOf: true,
  fields: (t) => ({
    mode: t.field({ type: ToolChoiceMode, description: 'Whether the model calls tools.' }),
    function: t.string({ description: 'The name of the function that the model must call: 1 to 64 characters.' }),
  }),
});
