// The functions of the threads that read OpenAPI documents.
import { begin, type Task } from '../../offload/task.ts';
import { InvalidPluginError } from '../plugin-source.ts';
import { type HttpOperation, type OpenApiOptions, readOpenApi } from './openapi.ts';
import type { ReadOperations } from './operation-limits.ts';

type Answer = { read: ReadOperations<HttpOperation>; fault?: never } | { read?: never; fault: string };

/** Reads a document. `fault`: the message of an InvalidPluginError, whose class does not survive the way between threads. */
export async function readDocument(task: Task<{ text: string; options: OpenApiOptions }>): Promise<Answer> {
  const { text, options } = begin(task);
  try {
    return { read: await readOpenApi(text, options) };
  } catch (error) {
    if (!(error instanceof InvalidPluginError)) throw error;
    return { fault: error.message };
  }
}
