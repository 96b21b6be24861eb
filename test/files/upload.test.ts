import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { Client } from '../support/client.ts';
import { sendFile, sendMultipart, upload } from '../support/upload.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startTestApp({
    MAX_UPLOAD_BYTES: '1000000',
    MAX_UPLOADS: '2',
    MAX_WORKSPACE_FILE_BYTES: '3000000',
    MAX_USER_FILE_BYTES: '1200000',
  });
});
afterAll(() => app.stop());

const blobs = () => app.app.services.database.blob.count();
const query = 'mutation($input: UploadFileInput!) { uploadFile(input: $input) { __typename } }';
const operations = JSON.stringify({ query, variables: { input: { file: null } } });
const map = '{"0":["variables.input.file"]}';
const file = new File(['x'], 'x.txt');

describe('a file', () => {
  test('is stored with its name and type, and read back byte for byte', async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
    const stored = await upload(app.client, bytes, '报告 🙂.bin', 'application/x-thing');
    expect(stored).toMatchObject({ name: '报告 🙂.bin', sizeBytes: 300_000, owner: null });
    const response = await fetch(stored.url);
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
    expect(response.headers.get('content-disposition')).toContain(
      "filename*=UTF-8''%E6%8A%A5%E5%91%8A%20%F0%9F%99%82.bin",
    );
  });

  test('may be empty', async () => {
    const stored = await upload(app.client, '', 'empty.txt');
    expect(stored.sizeBytes).toBe(0);
    expect(await (await fetch(stored.url)).text()).toBe('');
  });

  test('is stored without the folders and control characters of its name', async () => {
    const names = ['../../etc/passwd', 'C:\\secret\\a.txt', 'a\u202egpj.exe', '\u0007', 'x'.repeat(300)];
    const stored = await Promise.all(names.map((name) => upload(app.client, 'x', name)));
    expect(stored.map(({ name }) => name)).toEqual(['passwd', 'a.txt', 'agpj.exe', 'file', 'x'.repeat(200)]);
  });

  test('is stored once for equal content, until the last file with it is deleted', async () => {
    const before = await blobs();
    const content = 'the same bytes';
    const [one, two] = await Promise.all([upload(app.client, content, 'a.txt'), upload(app.client, content, 'b.txt')]);
    expect(await blobs()).toBe(before + 1);
    await app.client.mutate('deleteFile', { id: one.id }, 'deletedId');
    expect((await fetch(one.url)).status).toBe(404);
    expect(await (await fetch(two.url)).text()).toBe(content);
    await app.client.mutate('deleteFile', { id: two.id }, 'deletedId');
    expect(await blobs()).toBe(before);
    const again = await upload(app.client, content, 'c.txt');
    expect(await (await fetch(again.url)).text()).toBe(content);
  });

  test('can be uploaded and deleted concurrently without losing bytes', async () => {
    const content = 'bytes that many have';
    const rounds = Array.from({ length: 12 }, async () => {
      const stored = await upload(app.client, content, 'shared.txt');
      expect(await (await fetch(stored.url)).text()).toBe(content);
      await app.client.mutate('deleteFile', { id: stored.id }, 'deletedId');
    });
    await Promise.all(rounds);
    const { database } = app.app.services;
    const sha256 = createHash('sha256').update(content).digest('hex');
    await expect.poll(() => database.blob.count({ where: { sha256 } })).toBe(0);
  });
});

describe('a bad upload is refused and leaves nothing behind', () => {
  test('a file that is too large', async () => {
    const { data } = await sendFile(app.client, new Uint8Array(1_000_001), 'big.bin');
    expect(data.uploadFile).toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: ['file'] }] });
    expect(data.uploadFile.message).toContain('1000000 bytes');
  });

  test('a workspace that is full', async () => {
    const workspace = await app.client.mutate('createWorkspace', { name: 'Full' }, 'workspace { id }');
    const client = app.in(workspace.workspace.id);
    for (let index = 0; index < 3; index += 1) await upload(client, new Uint8Array(999_990).fill(index), 'a.bin');
    const { data } = await sendFile(client, new Uint8Array(100), 'b.bin');
    expect(data.uploadFile).toMatchObject({ code: 'QUOTA_EXCEEDED' });
  });

  test('an end user without quota left', async () => {
    const { workspace } = await app.client.mutate('createWorkspace', { name: 'Shared' }, 'workspace { id }');
    const users = await Promise.all(['full', 'other'].map((user) => app.in(workspace.id).as(user)));
    const [full, other] = users as [Client, Client];
    await upload(full, new Uint8Array(999_999), 'a.bin');
    const { data } = await sendFile(full, new Uint8Array(200_002), 'b.bin');
    expect(data.uploadFile).toMatchObject({ code: 'QUOTA_EXCEEDED' });
    await upload(full, new Uint8Array(200_001).fill(1), 'c.bin');
    await upload(other, new Uint8Array(999_999).fill(2), 'd.bin');
  });

  test.each([
    [
      'too many files',
      { operations, map: '{"0":["variables.input.file"],"1":[],"2":[]}', files: ['0', '1', '2'] },
      413,
    ],
    ['a file before the map', { operations, files: ['0'] }, 400],
    ['no operations', { map, files: ['0'] }, 400],
    ['operations that are no JSON', { operations: '{', map, files: ['0'] }, 400],
    ['a map to where nothing waits', { operations, map: '{"0":["variables.input.other"]}', files: ['0'] }, 400],
    ['a map into a prototype', { operations, map: '{"0":["variables.__proto__.file"]}', files: ['0'] }, 400],
    ['a map to a file that does not come', { operations, map: '{"1":["variables.input.file"]}', files: ['0'] }, 400],
  ])('%s', async (_name, { files, ...parts }, status) => {
    const answer = await sendMultipart(app.client, { ...parts, files: files.map((key) => [key, file]) });
    expect(answer.status).toBe(status);
    expect(answer.errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT');
  });

  test('a file before the operations, with more in the same packet', async () => {
    const part = (head: string, body: string) => `--b\r\nContent-Disposition: form-data; ${head}\r\n\r\n${body}\r\n`;
    const body = `${part('name="x"; filename="x"', 'x')}${part('name="operations"', operations)}${part('name="map"', map)}${part('name="0"; filename="a"', 'y'.repeat(200_000))}--b--`;
    const headers = { ...app.client.headers, 'content-type': 'multipart/form-data; boundary=b' };
    const response = await fetch(`${app.url}/graphql`, { method: 'POST', headers, body });
    expect(response.status).toBe(400);
  });

  test('too many concurrent uploads of a user', async () => {
    const user = await app.client.as('eager');
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => sendFile(user, new Uint8Array(500_000), 'a.bin')),
    );
    const statuses = new Set(answers.map(({ status }) => status));
    expect(statuses.has(200)).toBe(true);
    expect([...statuses].every((status) => status === 200 || status === 429)).toBe(true);
  });

  test('an Upload that is not a file', async () => {
    const { errors } = await app.client.send(query, { input: { file: 'text' } });
    expect(errors?.[0]?.message).toContain('Upload must be a file of a GraphQL multipart request');
  });

  test('a body that is not multipart, and one that breaks off', async () => {
    const send = (body: string, type: string) =>
      fetch(`${app.url}/graphql`, { method: 'POST', headers: { ...app.client.headers, 'content-type': type }, body });
    expect((await send('x', 'multipart/form-data')).status).toBe(400);
    expect(
      (
        await send(
          '--b\r\nContent-Disposition: form-data; name="operations"\r\n\r\n{',
          'multipart/form-data; boundary=b',
        )
      ).status,
    ).toBe(400);
    await new Promise<void>((resolve) => {
      const headers = {
        ...app.client.headers,
        'content-type': 'multipart/form-data; boundary=b',
        'content-length': 1000,
      };
      const broken = request(`${app.url}/graphql`, { method: 'POST', headers });
      broken.on('error', () => resolve());
      broken.write(
        `--b\r\nContent-Disposition: form-data; name="operations"\r\n\r\n${operations}\r\n--b\r\nContent-Disposition: form-data; name="map"\r\n\r\n${map}\r\n--b\r\nContent-Disposition: form-data; name="0"; filename="a"\r\n\r\nhalf`,
      );
      setTimeout(() => broken.destroy(new Error('gone')), 100);
    });
  });

  test('an upload without a credential is not even read', async () => {
    const anonymous = await sendFile(new Client(app.url, 'wrong'), new Uint8Array(500_000), 'a.bin').catch(() => null);
    // A server that does not read on may close the connection before all has been sent.
    if (anonymous) expect(anonymous.status).toBe(401);
  });

  test('no refused upload leaves bytes behind', async () => {
    await expect.poll(() => readdir(app.app.services.staging.folder)).toEqual([]);
  });
});
