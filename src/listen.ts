import type { AddressInfo } from 'node:net';
import { FairTurns } from './async/fair-turns.ts';
import { SharedMemory } from './async/shared-memory.ts';
import { untilAborted } from './async/until-aborted.ts';
import type { Closing } from './closing.ts';
import type { Config } from './config/config.ts';
import { KeyUsage } from './domain/access/key-usage.ts';
import type { Services } from './domain/context.ts';
import { UnavailableError } from './domain/error.ts';
import { UploadRooms } from './domain/file/file-room.ts';
import { buildSchema } from './graphql/schema/schema.ts';
import { openFreeSpace } from './open-free-space.ts';
import { Cors } from './server/cors.ts';
import { listenWithAcceptors } from './server/http/acceptors.ts';
import { Connections } from './server/http/connections.ts';
import { createHttpServer } from './server/http/http.ts';
import { serverLimits } from './server/limits.ts';
import { EventStreams } from './server/live/event-stream.ts';
import { serveWebSocket } from './server/live/websocket.ts';
import { Authenticator } from './server/session/authenticator.ts';
import { Oidc } from './server/session/oidc.ts';
import { Quota } from './server/session/quota.ts';
import { TrustedProxies } from './server/trusted-proxies.ts';
import { Answers } from './server/yoga/answers.ts';
import { SharedResults } from './server/yoga/shared-results.ts';
import { maskError } from './server/yoga/use-error-codes.ts';
import { createGraphServer } from './server/yoga/yoga.ts';

/** The requests with files that may be open at a time. Each holds a file descriptor and disk space. */
const uploadQuota = { key: 100, user: 5 };

/**
 * Starts the HTTP and WebSocket server. Returns its origin. `databaseFolder`: of the embedded database, whose disk must have
 * room; null: the database is elsewhere.
 */
export async function listen(
  { config, closing }: { config: Config; closing: Closing },
  services: Services,
  databaseFolder: string | null,
): Promise<string> {
  const { log, database, availability, queue } = services;
  const freeSpace = await openFreeSpace(config, { files: services.staging.folder, database: databaseFolder }, log);
  closing.add('free space', async () => freeSpace.close());
  const usage = new KeyUsage(database, log);
  closing.add('key usage', () => usage.close());
  const externalTokens = config.oidc && new Oidc(config.oidc, log);
  const quota = new Quota({ ...config.quota, upload: uploadQuota });
  const authenticator = new Authenticator({ services, externalTokens, usage, quota });
  closing.add('authenticator', async () => authenticator.close());
  const proxies = new TrustedProxies(config.trustProxy);
  const origins = new Cors(config.corsOrigins, proxies, config.publicUrl);
  const { graphiql, introspection, maxBodyBytes } = config;
  const timing = config.timing.socket;
  const liveness = { ...config.liveness, pingMs: timing.livenessMs };
  const answers = new Answers(config.response);
  const results = new SharedResults(maskError(log), availability, answers);
  const memory = new SharedMemory(config.requestMemoryBytes, maxBodyBytes);
  const flags = { graphiql, introspection };
  const yoga = createGraphServer({
    schema: buildSchema(),
    authenticator,
    results,
    log,
    isFull: freeSpace.isDatabaseFull,
    ...flags,
  });
  const isReady = async () => {
    freeSpace.require();
    if (availability.isAway) throw new UnavailableError();
    const pings = Promise.all([database.$queryRaw`SELECT 1`, queue.ping()]);
    await untilAborted(pings, AbortSignal.timeout(config.timing.database.readyMs));
  };
  const turns = new FairTurns(serverLimits.preparingMs);
  const eventStreams = new EventStreams({ yoga, turns, proxies, authenticator, results, answers, log, timing });
  const { files: uploads } = config;
  const connections = new Connections(config.connections, proxies, log);
  const parts = { yoga, turns, proxies, services, authenticator, eventStreams, answers, origins, isReady };
  const receiving = { maxBodyBytes, memory, uploads, uploadRooms: new UploadRooms(), freeSpace: freeSpace.files };
  const server = createHttpServer({ ...parts, ...receiving, connections, liveness, log });
  const bounds = { maxPayloadBytes: maxBodyBytes, memory, liveness, timing };
  const accepts = connections.accepts.bind(connections);
  const graph = { yoga, turns, proxies, authenticator, results, answers };
  const sockets = serveWebSocket(server, { ...graph, origins, accepts, log, ...bounds });
  const { port: wanted, host: address } = config;
  const acceptors = await listenWithAcceptors(server, { port: wanted, host: address, backlog: serverLimits.backlog });
  closing.add('HTTP server', async () => {
    const closed = Promise.all([new Promise((resolve) => server.close(resolve)), acceptors.close()]);
    await sockets.close();
    await yoga.dispose();
    server.closeAllConnections();
    await closed;
  });
  const { port } = server.address() as AddressInfo;
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  const url = `http://${host}:${port}`;
  services.fileLinks.reachedAt(url);
  return url;
}
