import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ServerProcess } from '../support/process.ts';
import { sendFile, upload } from '../support/upload.ts';

const folder = mkdtempSync(join(tmpdir(), 'assistant-graph-disk-'));

/** Mounts a disk of 4 MB; false: this system does not allow it. */
function mountDisk(): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const hasDisk = mountDisk();
let server: ServerProcess;
beforeAll(async () => {
  server = await ServerProcess.prepare({ FILES_DIR: folder, MIN_FREE_BYTES: '0' });
  await server.start();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  if (hasDisk) execFileSync('umount', [folder]);
  rmSync(folder, { recursive: true });
});

/** Sends ten files of 1 MB in one request. */
async function sendTen(): Promise<{ status: number; text: string }> {
  const keys = Array.from({ length: 10 }, (_, index) => `f${index}`);
  const form = new FormData();
  const variables = Object.fromEntries(keys.map((key) => [key, { file: null }]));
  const fields = keys.map((key) => `${key}: uploadFile(input: $${key}) { __typename }`).join(' ');
  const query = `mutation(${keys.map((key) => `$${key}: UploadFileInput!`).join(', ')}) { ${fields} }`;
  form.append('operations', JSON.stringify({ query, variables }));
  form.append('map', JSON.stringify(Object.fromEntries(keys.map((key) => [key, [`variables.${key}.file`]]))));
  for (const key of keys) form.append(key, new File([new Uint8Array(1_000_000).fill(1)], `${key}.bin`));
  const { 'content-type': _type, ...headers } = server.client.headers;
  const response = await fetch(`${server.url}/graphql`, { method: 'POST', headers, body: form });
  return { status: response.status, text: await response.text() };
}

describe.runIf(hasDisk)('an upload that fills the disk', () => {
  test('is refused, leaves nothing behind, and the server goes on', async () => {
    for (let round = 0; round < 2; round += 1) {
      const { status, text } = await sendTen();
      expect(status).toBe(507);
      expect(JSON.parse(text).errors[0]).toMatchObject({
        message: 'There is no room for files on the server. Try again later.',
        extensions: { code: 'UNAVAILABLE' },
      });
      expect(await readdir(join(folder, 'incoming'))).toEqual([]);
    }
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    await upload(server.client, 'small', 'small.txt');
    expect(server.output).toContain('files cannot be stored');
    expect(server.output).not.toContain('unhandled');
  });
});

test('a server whose disks have less free space than MIN_FREE_BYTES says so', async () => {
  const thread = await server.client.createThread();
  await server.end('SIGTERM');
  const full = server.with({ MIN_FREE_BYTES: String(1e15) });
  await full.start();
  try {
    expect((await fetch(`${full.url}/ready`)).status).toBe(503);
    const file = await sendFile(full.client, 'x', 'x.txt');
    expect([file.status, file.errors?.[0]?.extensions.code]).toEqual([507, 'UNAVAILABLE']);
    if (process.env.TEST_DATABASE_URL) return;
    const create = 'mutation { createThread(input: {}) { __typename } }';
    const { errors } = await full.client.send(create);
    expect(errors?.[0]?.extensions).toEqual({ code: 'UNAVAILABLE', retryAfterSeconds: 60 });
    expect((await full.client.data('{ threads { nodes { id } } }')).threads.nodes).toEqual([{ id: thread.id }]);
    expect(await full.client.mutate('deleteThread', { id: thread.id }, 'deletedId')).toMatchObject({
      deletedId: thread.id,
    });
  } finally {
    await full.end('SIGKILL');
  }
});
