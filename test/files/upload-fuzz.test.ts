import { readdir } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { RawConnection } from '../support/raw-connection.ts';
import { sendFile } from '../support/upload.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp({ environment: { MAX_UPLOADS: '3', MAX_UPLOAD_BYTES: '1000000', MAX_USER_FILE_BYTES: '1200000' } });

const query = `mutation($input: UploadFileInput!) { uploadFile(input: $input) {
  __typename ... on UploadFilePayload { file { name } } ... on Error { code message } } }`;
const operations = JSON.stringify({ query, variables: { input: { file: null } } });
const map = '{"0":["variables.input.file"]}';
const part = (head: string, body = '') => `--b\r\nContent-Disposition: form-data${head}\r\n\r\n${body}\r\n`;
const start = part('; name="operations"', operations) + part('; name="map"', map);
const end = '--b--\r\n';
const whole = `${start}${part('; name="0"; filename="a.txt"', 'text')}${end}`;

async function sendBody(body: string): Promise<{ status: number; text: string }> {
  const headers = { ...app.client.headers, 'content-type': 'multipart/form-data; boundary=b' };
  const bytes = Buffer.from(body, 'latin1');
  const response = await fetch(`${app.url}/graphql`, { method: 'POST', headers, body: bytes });
  return { status: response.status, text: await response.text() };
}

const noStagedBytes = () => expect.poll(() => readdir(app.app.services.staging.folder)).toEqual([]);

test('a file without a name is refused, and accepted when the input names it', async () => {
  const unnamed = `${start}${part('; name="0"; filename=""', 'text')}${end}`;
  expect(JSON.parse((await sendBody(unnamed)).text).data.uploadFile).toMatchObject({ code: 'INVALID_INPUT' });
  const named = unnamed.replace('"file":null', '"file":null,"name":"b.txt"');
  expect(JSON.parse((await sendBody(named)).text).data.uploadFile.file.name).toBe('b.txt');
});

describe('an odd multipart body is refused with BAD_USER_INPUT', () => {
  const file = part('; name="0"; filename="a"', 'x');
  test.each([
    ['without a map', part('; name="operations"', operations) + file + end, 400],
    ['with two files of one name', start + file + file + end, 400],
    ['with two operations', part('; name="operations"', operations).repeat(2) + file + end, 400],
    ['with a file without a name of its part', `${start}${part('; filename="a"', 'x')}${end}`, 400],
    ['with a field without a name', part('', 'x') + start.replace('; name="map"', '') + end, 400],
    ['without its end', `${start}${part('; name="0"; filename="a"', 'half')}`, 400],
    ['with headers without an end', `${start}--b\r\nx: ${'x'.repeat(200_000)}\r\n\r\nx\r\n${end}`, 400],
    ['with 10,000 empty parts', start + part('; name="x"').repeat(10_000) + end, 413],
    ['with 10,000 empty files', start + part('; name="0"; filename="a"').repeat(10_000) + end, 400],
    ['with a path into a prototype', whole.replace('variables.input.file', '__proto__.x'), 400],
    ['with nothing but its end', end, 400],
  ])('%s', async (_name, body, status) => {
    const answer = await sendBody(body);
    expect(answer.text).toContain('BAD_USER_INPUT');
    expect(answer.status).toBe(status);
    await noStagedBytes();
  });
});

test('a variable named __proto__ can hold the file', async () => {
  const variables = JSON.parse('{"__proto__":null}');
  const odd = JSON.stringify({ query: '{ viewer { kind } }', variables }).replace(
    '"variables":{}',
    '"variables":{"__proto__":null}',
  );
  const body = `${part('; name="operations"', odd)}${part('; name="map"', '{"0":["variables.__proto__"]}')}${part('; name="0"; filename="a"', 'x')}${end}`;
  const answer = await sendBody(body);
  expect(answer.text).not.toContain('INTERNAL_SERVER_ERROR');
  expect(answer.status).toBeLessThan(500);
  await noStagedBytes();
});

test('no mutation of an upload is an internal error or leaves bytes behind', async () => {
  let state = 7;
  const random = (max: number) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % max;
  };
  const pieces = [
    '\r\n',
    '--b',
    '--b--',
    '"',
    ';',
    '=',
    '*',
    "name*=utf-8''%ff",
    '\0',
    '\\',
    'filename=',
    ':',
    'é',
    '--',
  ];
  for (let round = 0; round < 250; round += 1) {
    let body = whole;
    for (let change = 0; change <= random(3); change += 1) {
      const at = random(body.length);
      const cut = random(3) === 0 ? random(40) : 0;
      body = body.slice(0, at) + (pieces[random(pieces.length)] as string) + body.slice(at + cut);
    }
    const { status, text } = await sendBody(body);
    expect(text, body).not.toContain('INTERNAL_SERVER_ERROR');
    expect([200, 400, 413], body).toContain(status);
  }
  await noStagedBytes();
});

test('the staged bytes of an unfinished upload count for the quota of its user', async () => {
  const user = await app.client.as('alice');
  const headers = { ...user.headers, 'content-type': 'multipart/form-data; boundary=b', 'content-length': 990_000 };
  using unfinished = await RawConnection.open(app.url);
  unfinished.post(headers);
  unfinished.send(
    `${start}--b\r\nContent-Disposition: form-data; name="0"; filename="a"\r\n\r\n${'x'.repeat(900_000)}`,
  );
  await expect.poll(async () => (await readdir(app.app.services.staging.folder)).length).toBe(1);
  const send = async () => (await sendFile(user, new Uint8Array(900_000), 'b.bin')).data.uploadFile;
  await expect.poll(send).toMatchObject({ code: 'QUOTA_EXCEEDED' });
  unfinished.socket.destroy();
  await noStagedBytes();
  expect(await send()).toMatchObject({ file: { name: 'b.bin' } });
  await noStagedBytes();
});

test('of two files, one that has no room is refused and the other is stored', async () => {
  const user = await app.client.as('bob');
  const both = JSON.stringify({
    query: `mutation($a: UploadFileInput!, $b: UploadFileInput!) {
      a: uploadFile(input: $a) { ... on Error { code } ... on UploadFilePayload { file { name } } }
      b: uploadFile(input: $b) { ... on Error { code } ... on UploadFilePayload { file { name } } } }`,
    variables: { a: { file: null }, b: { file: null } },
  });
  const form = new FormData();
  form.append('operations', both);
  form.append('map', '{"0":["variables.a.file"],"1":["variables.b.file"]}');
  form.append('0', new File([new Uint8Array(900_000)], 'a.bin'));
  form.append('1', new File([new Uint8Array(900_001)], 'b.bin'));
  const { 'content-type': _type, ...headers } = user.headers;
  const response = await fetch(`${app.url}/graphql`, { method: 'POST', headers, body: form });
  expect((await response.json()).data).toMatchObject({ a: { file: { name: 'a.bin' } }, b: { code: 'QUOTA_EXCEEDED' } });
  await noStagedBytes();
});
