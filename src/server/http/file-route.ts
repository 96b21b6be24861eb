import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { create as contentDisposition } from 'content-disposition';
import parseRange from 'range-parser';
import type { Services } from '../../domain/context.ts';
import { DomainError, NoRoomError, NotFoundError } from '../../domain/error.ts';
import { type DownloadableFile, findDownload, findLinkedDownload } from '../../domain/file/file-download.ts';
import type { ByteRange } from '../../files/file-store.ts';
import { isNoRoom } from '../../files/no-room.ts';
import type { Authenticator } from '../session/authenticator.ts';
import { requestCredential } from '../session/request-credential.ts';
import { httpStatus } from '../session/request-error.ts';
import { sendJson } from './json-response.ts';

/** Types that are served `inline`; all others are served as an `attachment`. */
const inlineTypes =
  /^(image\/(png|jpeg|gif|webp|avif|bmp)|text\/(plain|csv|markdown)|application\/(pdf|json)|(audio|video)\/[\w.+-]+)$/;
/** Types with active content, which are served as `application/octet-stream`. */
const activeTypes = /html|xml|svg|script|flash|java/;

interface FileRouteOptions {
  services: Services;
  authenticator: Authenticator;
}

/**
 * Serves GET and HEAD of /files/<id>: the bytes of a file, all or one range (RFC 9110). Requires a URL that this server has
 * signed (`File.url`), or a credential that can read the file.
 */
export async function serveFile(
  request: IncomingMessage,
  response: ServerResponse,
  options: FileRouteOptions,
): Promise<void> {
  protect(response);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return sendJson(response, 405, { error: 'Files are read-only here. Upload with the mutation uploadFile.' });
  }
  try {
    await sendFile(request, response, options.services, await findFile(request, options));
  } catch (error) {
    if (!(error instanceof DomainError) || response.headersSent) throw error;
    sendJson(response, error instanceof NotFoundError ? 404 : httpStatus(error), { error: error.message });
  }
}

/** The headers that keep a file from running scripts in a browser. Pages of other origins can embed it. */
function protect(response: ServerResponse): void {
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('content-security-policy', "default-src 'none'; sandbox");
  response.setHeader('cross-origin-resource-policy', 'cross-origin');
  response.setHeader('referrer-policy', 'no-referrer');
}

async function findFile(
  request: IncomingMessage,
  { services, authenticator }: FileRouteOptions,
): Promise<DownloadableFile> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://any');
  const id = pathname.slice('/files/'.length);
  const signature = searchParams.get('signature');
  if (signature !== null) {
    return findLinkedDownload(services, id, Number(searchParams.get('expires')), signature);
  }
  const session = await authenticator.open(requestCredential(request));
  return findDownload(session.context, id);
}

async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  { files }: Services,
  file: DownloadableFile,
): Promise<void> {
  const headers = fileHeaders(file);
  if (request.headers['if-none-match']?.split(',').some((tag) => tag.trim() === headers.etag)) {
    response.writeHead(304, headers).end();
    return;
  }
  const range = rangeOf(request, file.sizeBytes, headers.etag);
  if (range === 'unsatisfiable') {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${file.sizeBytes}` }).end();
    return;
  }
  const length = range ? range.end - range.start + 1 : file.sizeBytes;
  const contentRange = range && { 'content-range': `bytes ${range.start}-${range.end}/${file.sizeBytes}` };
  const head = [range ? 206 : 200, { ...headers, ...contentRange, 'content-length': length }] as const;
  if (request.method === 'HEAD' || file.sizeBytes === 0) {
    response.writeHead(...head).end();
    return;
  }
  const bytes = files.read(file.workspaceId, file.blobKey, range ?? undefined);
  // Before the headers are sent: the read can fail.
  await once(bytes, 'readable').catch((error) => {
    // Deleted since it was found.
    if (error.code === 'ENOENT') throw new NotFoundError(file.blobKey);
    throw isNoRoom(error) ? new NoRoomError('The server cannot read files now. Try again later.') : error;
  });
  response.writeHead(...head);
  await pipeline(bytes, response).catch((error) => {
    // Not an error of the server if the client has disconnected.
    if (!request.destroyed || !response.destroyed) throw error;
  });
}

function fileHeaders(file: DownloadableFile) {
  const isInline = inlineTypes.test(file.mimeType);
  const type = isInline || !activeTypes.test(file.mimeType) ? file.mimeType : 'application/octet-stream';
  return {
    etag: `"${file.sha256}"`,
    'cache-control': 'private, max-age=300',
    'accept-ranges': 'bytes',
    'content-type': type.startsWith('text/') ? `${type}; charset=utf-8` : type,
    'content-disposition': contentDisposition(file.name, { type: isInline ? 'inline' : 'attachment' }),
  };
}

/** The requested range; null for the whole file. Malformed and multiple ranges are ignored, as RFC 9110 allows. */
function rangeOf({ headers }: IncomingMessage, size: number, etag: string): ByteRange | 'unsatisfiable' | null {
  const isOtherVersion = headers['if-range'] !== undefined && headers['if-range'] !== etag;
  if (headers.range === undefined || isOtherVersion) return null;
  const ranges = parseRange(size, headers.range, { combine: true });
  if (ranges === -1) return 'unsatisfiable';
  if (ranges === -2 || ranges.type !== 'bytes' || ranges.length !== 1) return null;
  return ranges[0] ?? null;
}
