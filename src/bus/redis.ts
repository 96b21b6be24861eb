import { createClient, createCluster, type RedisClientType, type RedisClusterType } from '@redis/client';
import { type Link, type LinkDriver, type LinkListener, withAnswerTimeout } from './link.ts';

const connectTimeoutMs = 4000;

/** What of a client, of one server or of a cluster, is used here. */
type PubSub = Pick<
  RedisClientType,
  'publish' | 'subscribe' | 'unsubscribe' | 'sPublish' | 'sSubscribe' | 'sUnsubscribe' | 'destroy'
> & {
  ping(): Promise<unknown>;
};

/**
 * A link by publish and subscribe, with a channel for each topic: a process hears the threads that are followed in it,
 * and no others. Where the server has sharded channels (Redis 7, Valkey) they are used, so that in a cluster a message goes to
 * the node of its channel alone: https://redis.io/docs/latest/develop/pubsub/#sharded-pubsub
 * `name`: of the server that the processes are, so that several servers can share a Redis.
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
    // One that listens, and one that does not wait for what the other hears.
    const [sender, ear] = [await open(), await open()];
    const answered = <T>(promise: Promise<T>) => withAnswerTimeout(promise, answerMs);
    const subscribe = (channels: string | string[]) =>
      hasShards ? ear.sSubscribe(channels, onPayload) : ear.subscribe(channels, onPayload);
    // In a cluster the channels of one command must be of one slot.
    const listen = async (channels: string[]) =>
      void (await Promise.all(isCluster ? channels.map(subscribe) : [subscribe(channels)]));
    const unsubscribe = (channel: string) => (hasShards ? ear.sUnsubscribe(channel) : ear.unsubscribe(channel));
    return {
      send: async (parcels) => {
        const publish = (channel: string, payload: string) =>
          hasShards ? sender.sPublish(channel, payload) : sender.publish(channel, payload);
        await answered(Promise.all(parcels.map(([channel, payload]) => publish(channel, payload))));
      },
      listen: (channels) => answered(listen(channels)),
      unlisten: async (channels) => void (await answered(Promise.all(channels.map(unsubscribe)))),
      ping: async () => void (await answered(Promise.all([sender.ping(), ear.ping()]))),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const settings = (url: string) => ({
  url,
  // Who is cut off starts anew, as a whole.
  socket: { connectTimeout: connectTimeoutMs, reconnectStrategy: false as const },
});

/** What kind of server it is, as it says itself. */
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

async function openClient(url: string, lose: (error: Error) => void, answerMs: number): Promise<RedisClientType> {
  const client: RedisClientType = createClient(settings(url));
  client.on('error', lose);
  client.on('end', () => lose(new Error('the connection was closed')));
  await connected(client, answerMs);
  return client;
}

/** Connects, or leaves nothing behind. */
async function connected(client: { connect(): Promise<unknown>; destroy(): void }, answerMs: number): Promise<void> {
  try {
    await withAnswerTimeout(client.connect(), answerMs);
  } catch (error) {
    destroy(client);
    throw error;
  }
}

/** What is gone already cannot be closed again, and says so. */
function destroy(client: { destroy(): void }): void {
  try {
    client.destroy();
  } catch {}
}

/**
 * A client of a cluster that counts as lost with any of its nodes: what a node had to say may be missed. A node that nothing
 * is heard from any more because nobody listens is let go by the client itself: that is no loss.
 */
async function openCluster(url: string, lose: (error: Error) => void, answerMs: number): Promise<PubSub> {
  const { socket } = settings(url);
  const { username, password, protocol } = new URL(url);
  // What the address says of the first node holds for all.
  const credential = {
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
  };
  const defaults = { socket: protocol === 'rediss:' ? { ...socket, tls: true as const } : socket, ...credential };
  const cluster: RedisClusterType = createCluster({ rootNodes: [{ url }], defaults });
  let leaving = 0;
  for (const event of ['error', 'node-error', 'node-disconnect', 'sharded-channel-moved-error']) {
    cluster.on(event, (error: unknown) => {
      if (event !== 'node-disconnect' || leaving === 0) lose(error instanceof Error ? error : new Error(event));
    });
  }
  await connected(cluster, answerMs);
  const sUnsubscribe = async (channel: string) => {
    leaving += 1;
    try {
      await cluster.sUnsubscribe(channel);
    } finally {
      leaving -= 1;
    }
  };
  // Each node has two connections: one that is asked, and one that listens, if there is something to hear.
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
