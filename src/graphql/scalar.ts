import { GraphQLError, Kind, valueFromASTUntyped } from 'graphql';
import { Upload } from '../files/upload.ts';
import { builder } from './builder.ts';
import { readTime } from './rfc3339.ts';

const badInput = (message: string) => new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });

function parseTime(value: unknown): Date {
  const time = typeof value === 'string' ? readTime(value) : null;
  if (!time)
    throw badInput('DateTime must be an RFC 3339 string of the years 1 to 9999, such as "2026-11-21T08:30:00.000Z".');
  return time;
}

function parsePairs(value: unknown): Record<string, string> {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  const wrongKey = isMap ? Object.entries(value).find(([, inner]) => typeof inner !== 'string')?.[0] : undefined;
  if (!isMap) throw badInput('Metadata must be an object with string values: { "key": "value" }.');
  if (wrongKey !== undefined)
    throw badInput(`Metadata values must be strings; the value of ${JSON.stringify(wrongKey)} is not.`);
  return value as Record<string, string>;
}

/** The description of every `metadata` field. */
export const metadataDescription =
  'Key-value pairs that you can attach: at most 16, keys of 1 to 64 and values of at most 512 characters.';

/** The description of a `metadata` field whose pairs replace the existing ones. */
export const newMetadataDescription =
  'Key-value pairs that replace all existing ones: at most 16, keys of 1 to 64 and values of at most 512 characters.';

builder.scalarType('DateTime', {
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc3339',
  description:
    'A point in time: an RFC 3339 string in UTC with milliseconds, such as `2026-11-21T08:30:00.000Z`. Input may have another offset.',
  serialize: (value) => (value as Date).toISOString(),
  parseValue: parseTime,
});

builder.scalarType('JSON', {
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc8259',
  description: 'A JSON value of any type, nested at most 64 levels deep in inputs.',
  serialize: (value) => value,
  parseValue: (value) => value,
  parseLiteral: (node, variables) => valueFromASTUntyped(node, variables),
});

builder.scalarType('Metadata', {
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc8259#section-4',
  description:
    'A JSON object with string values, such as `{ "team": "support" }`: at most 16 pairs, keys of 1 to 64 characters, values of at most 512 characters.',
  serialize: (value) => value,
  parseValue: parsePairs,
  parseLiteral: (node, variables) => parsePairs(valueFromASTUntyped(node, variables)),
});

builder.scalarType('Decimal', {
  specifiedByURL: 'https://www.w3.org/TR/xmlschema11-2/#decimal',
  description: 'An exact amount of money in US dollars: a decimal string such as `0.0042`.',
  serialize: (value) => {
    const text = value.toString();
    return text.includes('e')
      ? Number(text)
          .toFixed(10)
          .replace(/\.?0+$/, '')
      : text;
  },
  parseValue: (value) => {
    if (typeof value === 'string' && /^\d+(\.\d+)?$/.test(value)) return value;
    throw badInput('Decimal must be a decimal string such as "0.42".');
  },
});

builder.scalarType('Upload', {
  specifiedByURL: 'https://github.com/jaydenseric/graphql-multipart-request-spec',
  description:
    'A file that is uploaded with the request, as the GraphQL multipart request specification describes. Input only, as a variable.',
  serialize: () => {
    throw badInput('Upload is an input type only.');
  },
  parseValue: (value) => {
    if (value instanceof Upload) return value;
    throw badInput('Upload must be a file of a GraphQL multipart request.');
  },
  parseLiteral: (node) => {
    throw badInput(`Upload must be a ${Kind.VARIABLE}, not a ${node.kind}.`);
  },
});
