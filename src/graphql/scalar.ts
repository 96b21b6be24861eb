import { GraphQLError, Kind, valueFromASTUntyped } from 'graphql';
import { Upload } from '../files/upload.ts';
import { builder } from './builder.ts';
import { readTime } from './rfc3339.ts';

const wrong = (message: string) => new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });

function parseTime(value: unknown): Date {
  const time = typeof value === 'string' ? readTime(value) : null;
  if (!time) throw wrong('DateTime is a text such as "2026-11-21T08:30:00.000Z", of the years 1 to 9999.');
  return time;
}

function parsePairs(value: unknown): Record<string, string> {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  const wrongKey = isMap ? Object.entries(value).find(([, inner]) => typeof inner !== 'string')?.[0] : undefined;
  if (!isMap) throw wrong('Metadata is an object of texts: { "key": "value" }.');
  if (wrongKey !== undefined) throw wrong(`Metadata values are texts; the one of ${JSON.stringify(wrongKey)} is not.`);
  return value as Record<string, string>;
}

builder.scalarType('DateTime', {
  description: 'A moment: RFC 3339 in UTC with milliseconds, such as `2026-11-21T08:30:00.000Z`.',
  serialize: (value) => (value as Date).toISOString(),
  parseValue: parseTime,
});

builder.scalarType('JSON', {
  description: 'Any JSON value.',
  serialize: (value) => value,
  parseValue: (value) => value,
  parseLiteral: (node, variables) => valueFromASTUntyped(node, variables),
});

builder.scalarType('Metadata', {
  description: 'Up to 16 pairs of texts: a key of up to 64 characters, a value of up to 512.',
  serialize: (value) => value,
  parseValue: parsePairs,
  parseLiteral: (node, variables) => parsePairs(valueFromASTUntyped(node, variables)),
});

builder.scalarType('Decimal', {
  description: 'An amount of money in US dollars, as a decimal text such as `0.0042`.',
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
    throw wrong('Decimal is a text such as "0.42".');
  },
});

builder.scalarType('Upload', {
  description: 'A file, sent by the GraphQL multipart request convention.',
  serialize: () => {
    throw wrong('Upload is for input only.');
  },
  parseValue: (value) => {
    if (value instanceof Upload) return value;
    throw wrong('Upload is a file sent by the GraphQL multipart request convention.');
  },
  parseLiteral: (node) => {
    throw wrong(`Upload cannot be written in the document (${Kind.VARIABLE} only): ${node.kind}.`);
  },
});
