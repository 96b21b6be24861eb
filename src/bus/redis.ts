import { createClient, createCluster, type RedisClientType, type RedisClusterType } from '@redis/client';
import { type Link, type LinkDriver, type LinkListener, withAnswerTimeout } from './link.ts';

const connectTimeoutMs = 4000;

/** The part of a client, of one server or of a cluster, that a link uses. */
type PubSub = Pick<
  RedisClientType,
  'publish' | 'subscribe' | 'unsubscribe' | 'sPublish' | 'sSubscribe' | 'sUnsubscribe' | 'destroy'
> & {
  ping(): Promise<unknown>;
};

/**
 * A link over publish and subscribe, with a channel for each topic: a process receives only the threads that are followed in
 * it. Sharded channels (Redis 7, Valkey) are used where the server has them, so that in a cluster a message goes only to
 * the node of its channel: https://redis.io/docs/latest/develop/pubsub/#sharded-pubsub
 * `name`: identifies the deployment, so that several can share a Redis server.
 */
export function redisLink(url: string, name: string, answerMs: number): LinkDriver {
  const prefix = `assistant-graph:${name}:`;
  return {
    channelOf: (topic) => prefix + topic,
    maxPayloadBytes: 256_000,
    open: (listener) => openLink(url, listener, answerMs),
  };
}

async function openLink(url: string, { onPayload, onLost }: LinkListener, answerMs: number): Promise<Link> {
  const { isCluster, hasShards } = await kindOf(url, answerMs);
  const opened: PubSub[] = [];
  const close = async () => {
    for (const client of opened.splice(0)) destroy(client);
  };
  try {
    const open = async () => {
      const client = isCluster ? await openCluster(url, onLost, answerMs) : await openClient(url, onLost, answerMs);
      opened.push(client);
      return client;
    };
    // Two connections: publishing does not wait behind received messages.
    const [publisher, subscriber] = [await open(), await open()];
    const answered = <T>(promise: Promise<T>) => withAnswerTimeout(promise, answerMs);
    const subscribe = (channels: string | string[]) =>
      hasShards ? subscriber.sSubscribe(channels, onPayload) : subscriber.subscribe(channels, onPayload);
    // In a cluster the channels of one command must be of one slot.
    const listen = async (channels: string[]) =>
      void (await Promise.all(isCluster ? channels.map(subscribe) : [subscribe(channels)]));
    const unsubscribe = (channel: string) =>
      hasShards ? subscriber.sUnsubscribe(channel) : subscriber.unsubscribe(channel);
    return {
      send: async (payloads) => {
        const publish = (channel: string, payload: string) =>
          hasShards ? publisher.sPublish(channel, payload) : publisher.publish(channel, payload);
        await answered(Promise.all(payloads.map(([channel, payload]) => publish(channel, payload))));
      },
      listen: (channels) => answered(listen(channels)),
      unlisten: async (channels) => void (await answered(Promise.all(channels.map(unsubscribe)))),
      ping: async () => void (await answered(Promise.all([publisher.ping(), subscriber.ping()]))),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const settings = (url: string) => ({
  url,
  // The bus opens a new link instead.
  socket: { connectTimeout: connectTimeoutMs, reconnectStrategy: false as const },
});

/** Whether the server is a cluster, and whether it has sharded channels. */
async function kindOf(url: string, answerMs: number): Promise<{ isCluster: boolean; hasShards: boolean }> {
  const client = await openClient(url, () => {}, answerMs);
  try {
    const info = await withAnswerTimeout(client.info('cluster'), answerMs);
    const [command] = (await withAnswerTimeout(
      client.sendCommand(['COMMAND', 'INFO', 'SPUBLISH']),
      answerMs,
    )) as unknown as [unknown];
    return { isCluster: /^cluster_enabled:1/m.test(info), hasShards: command !== null };
  } finally {
    client.destroy();
  }
}

async function openClient(url: string, onLost: (error: Error) => void, answerMs: number): Promise<RedisClientType> {
  const client: RedisClientType = createClient(settings(url));
  client.on('error', onLost);
  client.on('end', () => onLost(new Error('the connection was closed')));
  await connected(client, answerMs);
  return client;
}

/** Connects. Destroys the client when that fails. */
async function connected(client: { connect(): Promise<unknown>; destroy(): void }, answerMs: number): Promise<void> {
  try {
    await withAnswerTimeout(client.connect(), answerMs);
  } catch (error) {
    destroy(client);
    throw error;
  }
}

/** Destroys a client. One that is closed already throws, which is ignored. */
function destroy(client: { destroy(): void }): void {
  try {
    client.destroy();
  } catch {}
}

/**
 * Opens a client of a cluster. It counts as lost with any of its nodes, because messages of that node may be lost. The
 * client disconnects from a node without subscriptions on its own: that is not a loss.
 */
async function openCluster(url: string, onLost: (error: Error) => void, answerMs: number): Promise<PubSub> {
  const { socket } = settings(url);
  const { username, password, protocol } = new URL(url);
  // The credential and TLS of the URL apply to all nodes.
  const credential = {
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
  };
  const defaults = { socket: protocol === 'rediss:' ? { ...socket, tls: true as const } : socket, ...credential };
  const cluster: RedisClusterType = createCluster({ rootNodes: [{ url }], defaults });
  let unsubscribing = 0;
  for (const event of ['error', 'node-error', 'node-disconnect', 'sharded-channel-moved-error']) {
    cluster.on(event, (error: unknown) => {
      if (event !== 'node-disconnect' || unsubscribing === 0) onLost(error instanceof Error ? error : new Error(event));
    });
  }
  await connected(cluster, answerMs);
  const sUnsubscribe = async (channel: string) => {
    unsubscribing += 1;
    try {
      await cluster.sUnsubscribe(channel);
    } finally {
      unsubscribing -= 1;
    }
  };
  // Each node has a connection for commands and, with subscriptions, one for receiving.
  const ping = () =>
    Promise.all(
      cluster.masters.map(async (node) => {
        await (await cluster.nodeClient(node)).ping();
        await ((await node.pubSub?.connectPromise) ?? node.pubSub?.client)?.ping();
      }),
    );
  const { publish, subscribe, unsubscribe, sPublish, sSubscribe } = cluster;
  return {
    publish: publish.bind(cluster),
    subscribe: subscribe.bind(cluster),
    unsubscribe: unsubscribe.bind(cluster),
    sPublish: sPublish.bind(cluster),
    sSubscribe: sSubscribe.bind(cluster),
    sUnsubscribe,
    ping,
    destroy: () => cluster.destroy(),
  } as unknown as PubSub;
}
