import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { Memory } from '../../async/shared-memory.ts';
import { hasMoreValues } from '../json-values.ts';
import { serverLimits } from '../limits.ts';
import { BodyBytes } from './body-bytes.ts';
import { BodyError, incomplete, noMemory, tooLarge, tooManyValues } from './body-error.ts';
import { watchPace } from './body-pace.ts';

interface BodyOptions {
  maxBytes: number;
  /** Of the client, for all its bodies that are being read or used. */
  memory: Memory;
  /** How long the body may arrive slowly, in milliseconds. */
  slowMs: number;
}

/**
 * Reads a whole body. The caller must release it when its request has been served. Throws BodyError if the body is too large,
 * too slow, incomplete, compressed, not UTF-8 or of too many values, or if the server has no memory for it.
 */
export async function readBody(request: IncomingMessage, options: BodyOptions): Promise<BodyBytes> {
  const { maxBytes, memory } = options;
  const { 'content-encoding': encoding = 'identity', 'content-length': length = 0 } = request.headers;
  if (encoding !== 'identity') throw new BodyError(415, 'The request body must not be compressed.');
  if (Number(length) > maxBytes) throw tooLarge('The request body', maxBytes);
  const body = new BodyBytes(memory, maxBytes);
  try {
    await receive(request, body, options);
    if (!isUtf8(body.bytes)) throw new BodyError(400, 'The request body is not valid UTF-8.');
    if (hasMoreValues(body.bytes, serverLimits.jsonValues)) throw tooManyValues();
    return body;
  } catch (error) {
    body.release();
    throw error;
  }
}

/** Adds the pieces of the body as they arrive, and stops reading when it throws. */
function receive(request: IncomingMessage, body: BodyBytes, { maxBytes, slowMs }: BodyOptions): Promise<void> {
  const { bodyMs } = serverLimits;
  return new Promise((resolve, reject) => {
    const settle = (error: Error | null) => {
      stopWatch();
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      if (error === null) return resolve();
      // A disconnect after this is no error any more.
      request.on('error', () => {}).pause();
      reject(error);
    };
    const onData = (piece: Buffer) => {
      if (body.size + piece.length > maxBytes) settle(tooLarge('The request body', maxBytes));
      else if (!body.add(piece)) settle(noMemory());
    };
    const onEnd = () => settle(null);
    const onClose = () => settle(incomplete());
    const late = () => settle(new BodyError(408, `The request body arrived too slowly, or took ${bodyMs / 1000} s.`));
    const stopWatch = watchPace(request, { slowMs, totalMs: bodyMs }, late);
    if (request.destroyed) return onClose();
    request.on('data', onData).once('end', onEnd).once('close', onClose).once('error', onClose);
  });
}
