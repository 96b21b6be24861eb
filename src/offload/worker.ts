import type { MessagePort } from 'node:worker_threads';
import { Ajv, type AnySchema, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';

/**
 * Longer runs of text are cut before they are counted: the merging of byte pairs takes quadratic time in the length of
 * a word, and who writes a message chooses that length. A cut adds one token at most.
 */
const sliceLength = 500;

type Encoding = typeof import('gpt-tokenizer/encoding/o200k_base');
let encoding: Promise<Encoding> | null = null;

/** A question, and the port to tell by that it is begun with. */
export interface Task<Question> {
  question: Question;
  begin: MessagePort;
}

function begun<Question>({ question, begin }: Task<Question>): Question {
  begin.postMessage(null);
  begin.close();
  return question;
}

/** How many tokens each of some texts has, in OpenAI's encoding o200k_base; a little too many for long texts. */
export async function countTokens(task: Task<string[]>): Promise<number[]> {
  // Some 70 MB and half a second: only for those who need it.
  encoding ??= import('gpt-tokenizer/encoding/o200k_base');
  const { countTokens: count } = await encoding;
  const texts = begun(task);
  const options = { disallowedSpecial: new Set<string>() };
  return texts.map((text) => {
    let tokens = 0;
    for (let start = 0; start < text.length; start += sliceLength) {
      tokens += count(text.slice(start, start + sliceLength), options);
    }
    return tokens;
  });
}

const maxCompiled = 200;
const compiled = new Map<string, ValidateFunction>();

/** A schema, and the value that should fit it. */
export interface SchemaQuestion {
  schema: Record<string, unknown>;
  value: unknown;
}

/** What about a value does not fit a JSON Schema, in a sentence; null: it fits. `format` is a remark, as by default. */
export function schemaFault(task: Task<SchemaQuestion>): string | null {
  const { schema, value } = begun(task);
  const id = JSON.stringify(schema);
  const validate = compiled.get(id) ?? compile(schema);
  compiled.delete(id);
  compiled.set(id, validate);
  if (compiled.size > maxCompiled) compiled.delete(compiled.keys().next().value as string);
  if (validate(value)) return null;
  const faults = (validate.errors ?? []).slice(0, 5);
  return faults.map(({ instancePath, message }) => `${instancePath || 'the value'} ${message}`).join('; ');
}

function compile(schema: AnySchema): ValidateFunction {
  const { $schema: dialect, $id: _id, ...rules } = schema as Record<string, unknown>;
  const options = { strict: false, allErrors: true, validateFormats: false, logger: false } as const;
  const ajv = String(dialect ?? '').includes('2020-12') ? new Ajv2020(options) : new Ajv(options);
  return ajv.compile(rules);
}
