import { Ajv, type AnySchema, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { LRUCache } from 'lru-cache';
import { begin, type Task } from './task.ts';

/**
 * Longer texts are counted in slices of this many characters: merging byte pairs takes quadratic time in the length of a
 * word, and the author of a message chooses that length. A cut adds at most one token.
 */
const sliceLength = 500;
/** How many compiled schemas a thread keeps. */
const maxCompiled = 200;
/** How many violations of a schema are listed. */
const maxFaults = 5;

type Encoding = typeof import('gpt-tokenizer/encoding/o200k_base');
let encoding: Promise<Encoding> | null = null;
const compiled = new LRUCache<string, ValidateFunction>({ max: maxCompiled });

/** Returns the number of tokens of each text in OpenAI's encoding o200k_base, slightly too high for long texts. */
export async function countTokens(task: Task<string[]>): Promise<number[]> {
  // The encoding takes 70 MB and half a second to load: only threads that count load it.
  encoding ??= import('gpt-tokenizer/encoding/o200k_base');
  const { countTokens: count } = await encoding;
  const options = { disallowedSpecial: new Set<string>() };
  return begin(task).map((text) => {
    let tokens = 0;
    for (let start = 0; start < text.length; start += sliceLength) {
      tokens += count(text.slice(start, start + sliceLength), options);
    }
    return tokens;
  });
}

/**
 * Checks a value against a JSON Schema. Returns the violations as one sentence, or null if the value is valid. `format` is
 * an annotation, not a rule. Throws Error if the schema is invalid.
 */
export function schemaFault(task: Task<{ schema: Record<string, unknown>; value: unknown }>): string | null {
  const { schema, value } = begin(task);
  const key = JSON.stringify(schema);
  const validate = compiled.get(key) ?? compile(schema);
  compiled.set(key, validate);
  if (validate(value)) return null;
  const faults = (validate.errors ?? []).slice(0, maxFaults);
  return faults.map(({ instancePath, message }) => `${instancePath || 'the value'} ${message}`).join('; ');
}

function compile(schema: AnySchema): ValidateFunction {
  const { $schema: dialect, $id: _id, ...rules } = schema as Record<string, unknown>;
  const options = { strict: false, allErrors: true, validateFormats: false, logger: false } as const;
  const ajv = String(dialect ?? '').includes('2020-12') ? new Ajv2020(options) : new Ajv(options);
  return ajv.compile(rules);
}
