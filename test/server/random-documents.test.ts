import { beforeAll, expect, test } from 'vitest';
import { buildSchema } from '../../src/graphql/schema/schema.ts';
import { RandomDocuments } from '../support/random-documents.ts';
import { randomFrom } from '../support/seed.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp();
let ids: string[];
beforeAll(async () => {
  const assistant = await app.client.createAssistant();
  const run = await app.client.ask('hello', { assistantId: assistant.id });
  await app.client.finished(run.id);
  ids = [assistant.id, run.id, run.thread.id];
});

/** Fields that call out, wait, or end what the other cases use. */
const omitted = /registerPlugin|updatePlugin|uploadFile|waitForRun|deleteWorkspace|delete|revoke|rotate/i;
const accepts = ['*/*', 'application/graphql-response+json', 'multipart/mixed', 'text/event-stream'];

test.each([1, 2, 3, 4])('no document ends in an internal error (seed %i)', async (seed) => {
  const random = randomFrom(seed);
  const documents = new RandomDocuments(buildSchema(), random, ids);
  const failed: string[] = [];
  let executed = 0;
  for (let count = 0; count < 60; count += 1) {
    const operation = documents.next();
    const accept = accepts[Math.floor(random() * accepts.length)] as string;
    if (omitted.test(operation.query)) continue;
    const body = JSON.stringify(operation);
    const headers = { ...app.client.headers, accept };
    const response = await fetch(`${app.url}/graphql`, { method: 'POST', headers, body });
    const text = await response.text();
    if (text.includes('"data":{')) executed += 1;
    if (response.status >= 500 || text.includes('INTERNAL_SERVER_ERROR')) failed.push(`${body}\n${text}`);
  }
  expect(failed).toEqual([]);
  // Otherwise the cases test nothing but validation.
  expect(executed).toBeGreaterThan(10);
});
