import type { Answer, Client } from './client.ts';

const mutation = `mutation($input: UploadFileInput!) { uploadFile(input: $input) { __typename
  ... on UploadFilePayload { file { id name mimeType sizeBytes url owner ingestion { status error } } }
  ... on Error { code message } ... on InvalidInputError { issues { path message } } } }`;

/** The parts of an upload, in the order in which they are sent. */
export interface UploadParts {
  operations?: string;
  map?: string;
  files: Array<[key: string, file: File]>;
}

/** Sends parts as a multipart request. */
export async function sendMultipart(client: Client, parts: UploadParts): Promise<Answer> {
  const form = new FormData();
  if (parts.operations !== undefined) form.append('operations', parts.operations);
  if (parts.map !== undefined) form.append('map', parts.map);
  for (const [key, file] of parts.files) form.append(key, file);
  const { 'content-type': _type, ...rest } = client.headers;
  const response = await fetch(`${client.url}/graphql`, { method: 'POST', headers: rest, body: form });
  return { status: response.status, ...(await response.json()) };
}

/** Sends a file to uploadFile; returns the response. */
export function sendFile(client: Client, content: string | Uint8Array, name: string, type = ''): Promise<Answer> {
  return client.send(mutation, { input: { file: new File([content as BlobPart], name, { type }) } });
}

/** Uploads a file; returns its fields. */
export async function upload(
  client: Client,
  content: string | Uint8Array,
  name: string,
  type = '',
): Promise<{ id: string; url: string; name: string; mimeType: string; sizeBytes: number; owner: string | null }> {
  const { data, errors } = await sendFile(client, content, name, type);
  const file = data?.uploadFile.file;
  if (!file) throw new Error(JSON.stringify(errors ?? data));
  return file;
}
