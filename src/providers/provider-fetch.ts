import { providerLimits } from './limits.ts';
import { ResponseTooLargeError } from './model-error.ts';
import { ResponseMeter } from './response-meter.ts';

/**
 * The `fetch` of all requests to providers. The body of an error is cut off at its limit. Any other body fails with
 * ResponseTooLargeError: a streamed one beyond the limit of its meter, the others beyond the limit of a response.
 */
export const providerFetch: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  const { body, status, statusText, headers } = response;
  if (body === null) return response;
  const limited = response.ok ? limitedBody(body, ResponseMeter.find(init?.signal)) : cutBody(body);
  return new Response(limited, { status, statusText, headers });
};

function limitedBody(body: ReadableStream<Uint8Array>, meter: ResponseMeter | undefined): ReadableStream<Uint8Array> {
  let size = 0;
  return eachChunk(body, async (chunk, controller) => {
    size += chunk.length;
    const isTooLarge = meter ? !meter.add(chunk.length) : size > providerLimits.responseBytes;
    if (!isTooLarge) {
      controller.enqueue(chunk);
      await meter?.onReceived(chunk.length);
      return true;
    }
    const error = meter
      ? new ResponseTooLargeError(meter.maxBytes, 'a part of an answer, or nothing but empty parts,')
      : new ResponseTooLargeError(providerLimits.responseBytes);
    controller.error(error);
    return false;
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
