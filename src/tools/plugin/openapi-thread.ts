// The thread in which documents of others are read: its time and its memory are limited from outside.
import { parentPort } from 'node:worker_threads';
import { InvalidPluginError } from '../plugin.ts';
import { type OpenApiOptions, readOpenApi } from './openapi.ts';

parentPort?.on('message', async ({ text, options }: { text: string; options: OpenApiOptions }) => {
  try {
    parentPort?.postMessage({ read: await readOpenApi(text, options) });
  } catch (error) {
    if (!(error instanceof InvalidPluginError)) throw error;
    parentPort?.postMessage({ fault: error.message });
  }
});
