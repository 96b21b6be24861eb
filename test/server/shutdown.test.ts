import { describe, expect, inject, test } from 'vitest';
import { Closing } from '../../src/closing.ts';
import { createLog } from '../../src/log.ts';
import { copyTemplate } from '../support/databases.ts';
import { ModelServer } from '../support/model-server.ts';
import { OutageProxy } from '../support/outage-proxy.ts';
import { ServerProcess } from '../support/process.ts';

const postgres = inject('postgres');
const never = () => new Promise<never>(() => {});

describe('the steps of a shutdown', () => {
  test('are abandoned when they take too long, and the others still run', async () => {
    const ended: string[] = [];
    const closing = new Closing();
    closing.add('last', async () => void ended.push('last'));
    closing.add('stuck', never);
    closing.add('failing', () => Promise.reject(new Error('no')));
    closing.add('draining', never, { isDrain: true });
    closing.add('first', async () => void ended.push('first'));
    expect(await closing.run(createLog('silent'), 120)).toEqual(['draining', 'stuck']);
    expect(ended).toEqual(['first', 'last']);
  });
});

test('a server that is idle stops with the exit code 0', async () => {
  await using server = await ServerProcess.prepare({});
  await server.start();
  expect(await server.end('SIGTERM')).toBe(0);
});

describe.runIf(postgres)('SIGTERM while PostgreSQL is away', () => {
  test.each(['cut', 'stall'] as const)('ends the process within its time limit: %s', async (way) => {
    await using model = await ModelServer.start();
    const url = await copyTemplate(postgres as NonNullable<typeof postgres>);
    await using proxy = await OutageProxy.start(url);
    await using server = await ServerProcess.prepare({
      DATABASE_URL: proxy.url,
      OPENAI_BASE_URL: model.baseURL,
      SHUTDOWN_SECONDS: '2',
    });
    await server.start();
    model.answers(async (respond) => {
      await respond.text('Hello');
      await respond.closed;
    });
    const run = await server.client.ask('Greet');
    for await (const event of server.client.follow(run.id)) if (event.__typename === 'MessageDelta') break;
    proxy[way]();
    expect(await server.end('SIGTERM')).toBe(1);
    expect(server.output).toContain('shutdown steps abandoned');
    // Another server takes the run over.
    await using next = server.with({ DATABASE_URL: url, SHUTDOWN_SECONDS: '30' });
    model.streams('Hello again');
    await next.start();
    const finished = await next.client.finished(run.id, 'status attempt');
    expect(finished).toMatchObject({ status: 'COMPLETED', attempt: 2 });
  });
});
