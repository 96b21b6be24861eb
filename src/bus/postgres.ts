import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { LinkDriver } from './link.ts';

const channel = 'assistant_graph';
/** How long PostgreSQL may take to confirm the end of a connection, in milliseconds. */
const goodbyeMs = 1000;

/** A link over LISTEN and NOTIFY: one connection for each process, and one channel for all topics. */
export function postgresLink(url: string, answerMs: number): LinkDriver {
  return {
    channelOf: () => channel,
    // PostgreSQL accepts payloads of up to 7999 bytes: https://www.postgresql.org/docs/current/sql-notify.html
    maxPayloadBytes: 7900,
    open: async ({ onPayload, onLost }) => {
      const client = new pg.Client({
        connectionString: url,
        connectionTimeoutMillis: answerMs,
        keepAlive: true,
        keepAliveInitialDelayMillis: answerMs,
        query_timeout: answerMs,
        application_name: 'assistant-graph bus',
      });
      client.on('notification', ({ payload }) => onPayload(payload ?? ''));
      client.on('error', onLost);
      client.on('end', () => onLost(new Error('the connection was closed')));
      const close = async () => {
        const timer = new AbortController();
        const late = delay(goodbyeMs, undefined, { signal: timer.signal }).then(
          () => destroy(client),
          () => {},
        );
        await Promise.race([client.end(), late]).catch(() => {});
        timer.abort();
      };
      try {
        await client.connect();
        await client.query(`LISTEN ${channel}`);
      } catch (error) {
        await close();
        throw error;
      }
      return {
        send: async (payloads) => {
          const text = 'SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload';
          await client.query({ name: 'notify', text }, [channel, payloads.map(([, payload]) => payload)]);
        },
        ping: async () => void (await client.query('SELECT 1')),
        close,
      };
    },
  };
}

function destroy(client: pg.Client): void {
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}
