// With nothing but fetch: server-sent events, in a browser or in Node.js.
import { type Connect, type Event, follow, type GraphError, refuse } from './follow.ts';

/** The server sends a comment every 12 s: a connection that is silent for longer is gone, even if nobody said so. */
const silentMs = 30_000;

/** The event stream that a response is, or what it says instead. */
async function streamIn(response: Response): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
  if (isStream && response.body) return response.body;
  refuse(((await response.json()) as { errors?: GraphError[] }).errors);
  throw new Error(`The server answered ${response.status}.`);
}

/** The blocks of an event stream, as they come; `heard` is called with every sign of life. */
async function* blocksOf(body: ReadableStream<Uint8Array<ArrayBuffer>>, heard: () => void): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { value, done } = await reader.read();
    // A stream that is over says so; one that just ends has broken.
    if (done) throw new Error('The connection broke.');
    heard();
    const blocks = (text + value).split('\n\n');
    text = blocks.pop() as string;
    yield* blocks;
  }
}

/** `query` takes `$after: String` and has one field, whose events select `cursor`. */
export function followBySse<E extends Event>(
  url: string,
  headers: Record<string, string>,
  query: string,
  variables: Record<string, unknown>,
) {
  const connect: Connect<E> = async function* (after, signal) {
    const silence = new AbortController();
    const timer = { id: setTimeout(() => silence.abort(), silentMs) };
    const heard = () => {
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
      for await (const block of blocksOf(await streamIn(response), heard)) {
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
