import { setImmediate as turn } from 'node:timers/promises';
import { EventGuard } from './event-guard.ts';
import { withParameters } from './extra-parameters.ts';
import { providerLimits } from './limits.ts';
import { ResponseTooLargeError } from './model-error.ts';
import { ResponseMeter } from './response-meter.ts';

/**
 * The `fetch` of all requests to providers. The body of an error is cut off at its limit. Any other body fails with
 * ResponseTooLargeError: a streamed one beyond the limit of its meter, the others beyond the limit of a response.
 */
export const providerFetch: typeof fetch = async (input, init) => {
  const response = await fetch(input, withParameters(init));
  const { body, status, statusText, headers } = response;
  if (body === null) return response;
  const meter = ResponseMeter.find(init?.signal);
  const limited = response.ok ? (meter ? streamedBody(body, meter) : wholeBody(body)) : cutBody(body);
  return new Response(limited, { status, statusText, headers });
};

function wholeBody(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  let size = 0;
  return eachChunk(body, async (chunk, controller) => {
    size += chunk.length;
    if (size <= providerLimits.responseBytes) controller.enqueue(chunk);
    else controller.error(new ResponseTooLargeError(`a response of more than ${providerLimits.responseBytes} bytes`));
    return size <= providerLimits.responseBytes;
  });
}

function streamedBody(body: ReadableStream<Uint8Array>, meter: ResponseMeter): ReadableStream<Uint8Array> {
  const { eventValues, pieceBytes } = providerLimits;
  const guard = new EventGuard(eventValues);
  return eachChunk(body, async (chunk, controller) => {
    if (!meter.add(chunk.length)) {
      const what = 'a part of an answer, or nothing but empty parts,';
      controller.error(new ResponseTooLargeError(`${what} of more than ${meter.maxBytes} bytes`));
      return false;
    }
    for (let at = 0; at < chunk.length; at += pieceBytes) {
      // Its events are parsed in this turn of the event loop.
      if (at > 0) await turn();
      const piece = guard.check(chunk.subarray(at, at + pieceBytes));
      if (piece === null) {
        controller.error(new ResponseTooLargeError(`an event of more than ${eventValues} JSON values`));
        return false;
      }
      controller.enqueue(piece);
    }
    await meter.onReceived(chunk.length);
    return true;
  });
}

function cutBody(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  let room: number = providerLimits.errorBytes;
  return eachChunk(body, async (chunk, controller) => {
    controller.enqueue(chunk.subarray(0, room));
    room -= chunk.length;
    if (room > 0) return true;
    controller.close();
    return false;
  });
}

/** Resolves to whether the next chunk may be read, when it may. */
type OnChunk = (chunk: Uint8Array, controller: ReadableStreamDefaultController<Uint8Array>) => Promise<boolean>;

/** A stream that reads another one chunk by chunk as it is read itself, and cancels it when `onChunk` returns false. */
function eachChunk(body: ReadableStream<Uint8Array>, onChunk: OnChunk): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else if (!(await onChunk(value, controller))) await reader.cancel().catch(() => {});
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
