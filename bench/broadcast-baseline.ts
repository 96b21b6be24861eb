// The least that can be done: a bare ws server that reads the model's stream and sends each token to every socket.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

const model = process.env.OPENAI_BASE_URL as string;
const server = createServer(async (request, response) => {
  if (request.method !== 'POST') return response.end();
  response.end();
  const answer = await fetch(`${model}/chat/completions`, { method: 'POST', body: '{}' });
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of answer.body as unknown as AsyncIterable<Uint8Array>) {
    rest += decoder.decode(bytes, { stream: true });
    const blocks = rest.split('\n\n');
    rest = blocks.pop() as string;
    for (const block of blocks) {
      if (block === 'data: [DONE]') {
        send({ __typename: 'RunStatusChanged', status: 'COMPLETED' });
        continue;
      }
      const text = JSON.parse(block.slice(6)).choices[0].delta.content;
      offset += text?.length ?? 0;
      if (text) send({ cursor: `abcdef-1.5.${offset}`, text });
    }
  }
});
let offset = 0;
const sockets = new WebSocketServer({ server });
const send = (event: object) => {
  const message = JSON.stringify({ id: '1', type: 'next', payload: { data: { runEvents: event } } });
  for (const socket of sockets.clients) socket.send(message);
};
sockets.on('connection', (socket) => {
  socket.on('message', (data) => {
    if (String(data).includes('connection_init')) socket.send('{"type":"connection_ack"}');
  });
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
process.on('SIGTERM', () => process.exit(0));
