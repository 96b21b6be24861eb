// The thread in which a document of others is read: its time and its memory are limited from outside.
import { parentPort, workerData } from 'node:worker_threads';
import { InvalidPluginError } from '../tool.ts';
import { type OpenApiOptions, readOpenApi } from './openapi.ts';

const { text, options } = workerData as { text: string; options: OpenApiOptions };
try {
  parentPort?.postMessage({ read: await readOpenApi(text, options) });
} catch (error) {
  if (!(error instanceof InvalidPluginError)) throw error;
  parentPort?.postMessage({ fault: error.message });
}
