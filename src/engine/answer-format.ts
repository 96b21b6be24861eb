import type { Run } from '../db/generated/client.ts';
import type { RunFault } from '../domain/error.ts';
import type { ResponseFormat } from '../domain/run/generation.ts';
import type { Offload } from '../offload/offload.ts';
import { OffloadTimeoutError } from '../offload/offload-error.ts';

/**
 * Whether a whole answer is what the run's `responseFormat` promises; null: it is. Providers are asked for that form, but
 * not every one of them, and not every model, keeps to it: a client that asked for JSON must not have to find out.
 */
export async function formatFault(offload: Offload, run: Run, text: string): Promise<RunFault | null> {
  const format = run.responseFormat as ResponseFormat | null;
  if (format === null || format.type === 'text') return null;
  const parsed = parse(text);
  if (!parsed) return fault('The answer is not JSON, as responseFormat asks for.');
  if (format.type === 'json_object') {
    const isObject = typeof parsed.value === 'object' && parsed.value !== null && !Array.isArray(parsed.value);
    return isObject ? null : fault('The answer is JSON, but not an object, as responseFormat asks for.');
  }
  const { name, schema } = format.json_schema;
  if (!schema) return null;
  try {
    const words = await offload.schemaFault(run.workspaceId, schema as Record<string, unknown>, parsed.value);
    return words === null ? null : fault(`The answer does not fit the schema ${name}: ${words}.`);
  } catch (error) {
    const isSlow = error instanceof OffloadTimeoutError;
    return fault(
      `The answer could not be checked against the schema ${name}: ${isSlow ? 'it takes too long' : (error as Error).message}.`,
    );
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
