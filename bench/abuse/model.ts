// A model for bench/abuse.ts: honest by default, hostile when the last message names an attack. Prints its address.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const words = Array.from({ length: 20 }, (_, index) => `word${index} `);
const data = (choice: object) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', choices: [{ index: 0, finish_reason: null, ...choice }] })}\n\n`;
const text = (content: string) => data({ delta: { content } });
const end = (reason = 'stop') => `${data({ delta: {}, finish_reason: reason })}data: [DONE]\n\n`;

/** Writes a chunk; resolves when the client has room for more, or is gone (false). */
async function write(response: ServerResponse, chunk: string | Buffer): Promise<boolean> {
  if (response.destroyed) return false;
  if (response.write(chunk)) return true;
  await new Promise<void>((resolve) => {
    const done = () => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
  return !response.destroyed;
}

const calls = (count: number, name: string, text: string) =>
  Array.from({ length: count }, (_, index) =>
    data({
      delta: { tool_calls: [{ index, id: `c${index}`, type: 'function', function: { name, arguments: text } }] },
    }),
  ).join('');
const program = JSON.stringify({
  code: 'while True:\n  try:\n    while True: pass\n  except BaseException: pass',
});

/** The hostile answers, by the word in the last message. */
const attacks: Record<string, (response: ServerResponse) => Promise<unknown>> = {
  'endless-answer': async (response) => {
    const megabyte = text('x'.repeat(10_000)).repeat(100);
    for (let sent = 0; sent < 300; sent += 1) if (!(await write(response, megabyte))) return;
    response.end(end());
  },
  'endless-silence': async (response) => {
    while (await write(response, ': keep-alive\n\n')) await delay(50);
  },
  'one-line': async (response) => {
    if (!(await write(response, 'data: {"choices":[{"index":0,"delta":{"content":"'))) return;
    const megabyte = Buffer.alloc(1e6, 120);
    for (let sent = 0; sent < 50; sent += 1) if (!(await write(response, megabyte))) return;
    response.end(`"}}]}\n\n${end()}`);
  },
  'many-calls': async (response) => {
    await write(response, calls(10_000, 'nothing', '{}'));
    response.end(end('tool_calls'));
  },
  python: async (response) => {
    await write(response, calls(1, 'code_interpreter', program));
    response.end(end('tool_calls'));
  },
  slow: async (response) => {
    for (let sent = 0; sent < 600; sent += 1) {
      if (!(await write(response, text('slow ')))) return;
      await delay(500);
    }
    response.end(end());
  },
};

async function answer(asked: string, response: ServerResponse): Promise<void> {
  if (asked.includes('huge-error')) {
    response.writeHead(400, { 'content-type': 'application/json' });
    const megabyte = Buffer.alloc(1e6, 120);
    for (let sent = 0; sent < 200; sent += 1) if (!(await write(response, megabyte))) return;
    return void response.end();
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const attack = Object.entries(attacks).find(([name]) => asked.includes(name))?.[1];
  if (attack) return void (await attack(response));
  for (const word of words) {
    response.write(text(word));
    await delay(5);
  }
  response.end(end());
}

const model = createServer(async (request, response) => {
  response.on('error', () => {});
  if (request.url?.endsWith('/models')) return response.end(JSON.stringify({ data: [{ id: 'scripted' }] }));
  let body = '';
  for await (const piece of request) body += piece;
  const asked = JSON.parse(body).messages.findLast(({ role }: { role: string }) => role === 'user');
  await answer(JSON.stringify(asked?.content ?? ''), response);
});
model.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(model.address() as AddressInfo).port}/v1`));
process.on('SIGTERM', () => process.exit(0));
