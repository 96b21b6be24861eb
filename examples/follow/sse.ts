// Server-sent events with `fetch` alone, in a browser or in Node.js.
import { type Connect, type Event, follow, type GraphError, refuse } from './follow.ts';

/** The server sends a comment every 12 s. A connection that is silent for this long is considered broken. */
const silentMs = 30_000;

/** The body of a response that is an event stream. Throws the GraphQL error of any other response. */
async function eventStreamOf(response: Response): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
  if (isStream && response.body) return response.body;
  refuse(((await response.json()) as { errors?: GraphError[] }).errors);
  throw new Error(`The server responded with HTTP status ${response.status}.`);
}

/** The blocks of an event stream as they arrive. Calls `onData` with each chunk, comments included. */
async function* blocksOf(body: ReadableStream<Uint8Array<ArrayBuffer>>, onData: () => void): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { value, done } = await reader.read();
    // A complete stream ends with an event `complete`, which ends the loop below. One that ends before it is broken.
    if (done) throw new Error('The event stream ended without `complete`.');
    onData();
    const blocks = (text + value).split('\n\n');
    text = blocks.pop() as string;
    yield* blocks;
  }
}

/** Returns a function that follows `query`: a subscription with `$after: String` and one field, which selects `cursor`. */
export function followBySse<E extends Event>(
  url: string,
  headers: Record<string, string>,
  query: string,
  variables: Record<string, unknown>,
) {
  const connect: Connect<E> = async function* (after, signal) {
    const silence = new AbortController();
    const timer = { id: setTimeout(() => silence.abort(), silentMs) };
    const restartTimer = () => {
      clearTimeout(timer.id);
      timer.id = setTimeout(() => silence.abort(), silentMs);
    };
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json', accept: 'text/event-stream' },
        body: JSON.stringify({ query, variables: { ...variables, after } }),
        signal: AbortSignal.any([signal, silence.signal]),
      });
      for await (const block of blocksOf(await eventStreamOf(response), restartTimer)) {
        if (/^event: ?complete$/m.test(block)) return;
        const [, json] = /^data: ?(.+)$/m.exec(block) ?? [];
        if (!json) continue;
        const { data, errors } = JSON.parse(json) as { data?: Record<string, E>; errors?: GraphError[] };
        refuse(errors);
        if (data) yield Object.values(data)[0] as E;
      }
    } finally {
      clearTimeout(timer.id);
    }
  };
  return (after?: string | null, signal?: AbortSignal) => follow(connect, { after, signal });
}
