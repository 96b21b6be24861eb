import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Milliseconds since 1970, with fractions, the same for all processes of a machine. */
export const now = () => performance.timeOrigin + performance.now();

/** A token that says when it was sent. */
const token = () => `${now().toFixed(2)} `;

/** The times at which the tokens in a text were sent. */
export const sentTimes = (text: string) => text.trim().split(' ').map(Number);

const chunk = (delta: object, finish: string | null) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;

/** A model that sends so many tokens a second, for so many tokens: chat completions with a streamed answer. */
export async function startStreamModel(options: { tokens: number; perSecond: number; waitMs?: number }) {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      if (request.url?.endsWith('/models')) return response.end(JSON.stringify({ data: [{ id: 'stream' }] }));
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      let sent = 0;
      const begin = () => {
        const timer = setInterval(() => {
          response.write(chunk({ content: token() }, null));
          sent += 1;
          if (sent < options.tokens) return;
          clearInterval(timer);
          response.end(`${chunk({}, 'stop')}data: [DONE]\n\n`);
        }, 1000 / options.perSecond);
      };
      setTimeout(begin, options.waitMs ?? 0);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, stop };
}
