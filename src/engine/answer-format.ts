import type { Run } from '../db/generated/client.ts';
import type { RunFault } from '../domain/error.ts';
import type { ResponseFormat } from '../domain/run/generation.ts';
import type { Offload } from '../offload/offload.ts';
import { OffloadTimeoutError } from '../offload/offload-error.ts';
import { partyOf } from './run-execution.ts';

/**
 * Checks a complete answer against the run's `responseFormat`. Returns null if it conforms. Not every provider and model
 * honours the format that the request asks for, and clients rely on it.
 */
export async function formatFault(offload: Offload, run: Run, text: string): Promise<RunFault | null> {
  const format = run.responseFormat as ResponseFormat | null;
  if (format === null || format.type === 'text') return null;
  const parsed = parse(text);
  if (!parsed) return fault('The answer is not JSON, which responseFormat requires.');
  if (format.type === 'json_object') {
    const isObject = typeof parsed.value === 'object' && parsed.value !== null && !Array.isArray(parsed.value);
    return isObject ? null : fault('The answer is JSON, but not an object, which responseFormat requires.');
  }
  const { name, schema } = format.json_schema;
  if (!schema) return null;
  try {
    const violations = await offload.schemaFault(partyOf(run), schema as Record<string, unknown>, parsed.value);
    return violations === null ? null : fault(`The answer does not match the schema ${name}: ${violations}.`);
  } catch (error) {
    const reason = error instanceof OffloadTimeoutError ? 'the check takes too long' : (error as Error).message;
    return fault(`The answer could not be checked against the schema ${name}: ${reason}.`);
  }
}

const fault = (message: string): RunFault => ({ code: 'invalid_answer', message, retryable: true });

function parse(text: string): { value: unknown } | null {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return null;
  }
}
