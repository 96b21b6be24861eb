import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { create as contentDisposition } from 'content-disposition';
import parseRange from 'range-parser';
import type { Services } from '../../domain/context.ts';
import { DomainError, NotFoundError } from '../../domain/error.ts';
import { type DownloadableFile, findDownload, findLinkedDownload } from '../../domain/file/file-download.ts';
import type { ByteRange } from '../../files/file-store.ts';
import { type Authenticator, credentialIn, statusOf } from '../session/authenticate.ts';
import { workspaceIn } from '../yoga/yoga.ts';
import { answerJson } from './json-response.ts';

/** Types that a browser may show; anything else it is told to save. */
const shown =
  /^(image\/(png|jpeg|gif|webp|avif|bmp)|text\/(plain|csv|markdown)|application\/(pdf|json)|(audio|video)\/[\w.+-]+)$/;
/** Types that a browser could run. */
const active = /html|xml|svg|script|flash|java/;

/** What the route needs. */
export interface FileRouteOptions {
  services: Services;
  authenticator: Authenticator;
}

/**
 * GET and HEAD of /files/<id>: the bytes of a file, whole or a range (RFC 9110), for whoever has an address that this server
 * signed (`File.url`), or a credential that sees the file.
 */
export async function serveFile(
  request: IncomingMessage,
  response: ServerResponse,
  options: FileRouteOptions,
): Promise<void> {
  protect(response);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return answerJson(response, 405, { error: 'Files are uploaded by the mutation uploadFile.' });
  }
  try {
    await send(request, response, options.services, await find(request, options));
  } catch (error) {
    if (!(error instanceof DomainError) || response.headersSent) throw error;
    answerJson(response, error instanceof NotFoundError ? 404 : statusOf(error), { error: error.message });
  }
}

/** Whatever a file holds, it is nobody's page and runs nothing; pages of others may show it. */
function protect(response: ServerResponse): void {
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('content-security-policy', "default-src 'none'; sandbox");
  response.setHeader('cross-origin-resource-policy', 'cross-origin');
  response.setHeader('referrer-policy', 'no-referrer');
}

async function find(
  request: IncomingMessage,
  { services, authenticator }: FileRouteOptions,
): Promise<DownloadableFile> {
  const address = new URL(request.url ?? '/', 'http://any');
  const id = address.pathname.slice('/files/'.length);
  const signature = address.searchParams.get('signature');
  if (signature !== null) {
    return findLinkedDownload(services, id, Number(address.searchParams.get('expires')), signature);
  }
  const header = (name: string) => request.headers[name] as string | undefined;
  const session = await authenticator.open(credentialIn(header('authorization') ?? null, workspaceIn(header)));
  return findDownload(session.context, id);
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  { files }: Services,
  file: DownloadableFile,
): Promise<void> {
  const etag = `"${file.sha256}"`;
  const isShown = shown.test(file.mimeType);
  const type = isShown || !active.test(file.mimeType) ? file.mimeType : 'application/octet-stream';
  const headers: Record<string, string | number> = {
    etag,
    'cache-control': 'private, max-age=300',
    'accept-ranges': 'bytes',
    'content-type': type.startsWith('text/') ? `${type}; charset=utf-8` : type,
    'content-disposition': contentDisposition(file.name, { type: isShown ? 'inline' : 'attachment' }),
  };
  if (request.headers['if-none-match']?.split(',').some((tag) => tag.trim() === etag)) {
    response.writeHead(304, headers).end();
    return;
  }
  const range = rangeOf(request, file.sizeBytes, etag);
  if (range === 'beyond') {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${file.sizeBytes}` }).end();
    return;
  }
  if (range) headers['content-range'] = `bytes ${range.start}-${range.end}/${file.sizeBytes}`;
  headers['content-length'] = range ? range.end - range.start + 1 : file.sizeBytes;
  const status = range ? 206 : 200;
  if (request.method === 'HEAD' || file.sizeBytes === 0) {
    response.writeHead(status, headers).end();
    return;
  }
  const bytes = files.read(file.workspaceId, file.blobKey, range ?? undefined);
  // Before anything is said: they may not be there.
  await once(bytes, 'readable');
  response.writeHead(status, headers);
  await pipeline(bytes, response).catch((error) => {
    // Who went away wants no more of it.
    if (!request.destroyed || !response.destroyed) throw error;
  });
}

/** The one range that is asked for; null: all of it; `beyond`: there is nothing there. */
function rangeOf({ headers }: IncomingMessage, size: number, etag: string): ByteRange | 'beyond' | null {
  const isOther = headers['if-range'] !== undefined && headers['if-range'] !== etag;
  if (headers.range === undefined || isOther) return null;
  const ranges = parseRange(size, headers.range, { combine: true });
  if (ranges === -1) return 'beyond';
  // Malformed ones are passed over, and several at once are more than anybody has to answer.
  if (ranges === -2 || ranges.type !== 'bytes' || ranges.length !== 1) return null;
  return ranges[0] ?? null;
}
