import type { Server } from 'node:http';
import { type AddressInfo, createServer, type ListenOptions, type Server as NetServer } from 'node:net';
import { serverLimits } from '../limits.ts';

/** The sockets that listen beside the server's own. */
export interface Acceptors {
  close(): Promise<void>;
}

/**
 * Lets a server listen. Node.js accepts one connection of a listening socket in a turn of the event loop, so that in a flood
 * of connections, or in slow turns, clients wait seconds for theirs. Several sockets listen at the same port, and the system
 * distributes connections among them. Rejects if another process listens at the port. Where the system knows no `reusePort`
 * (macOS, Windows), one socket listens.
 */
export async function listenWithAcceptors(server: Server, options: ListenOptions): Promise<Acceptors> {
  // Only without `reusePort` the system reports that the port is in use.
  await listening(server, options);
  const { port } = server.address() as AddressInfo;
  const shared = { ...options, port, reusePort: true };
  await closed(server);
  const canShare = await listening(server, shared).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOTSUP') return false;
      throw error;
    },
  );
  if (!canShare) await listening(server, { ...options, port });
  // As a server of HTTP accepts its connections.
  const accepting = { allowHalfOpen: true, noDelay: true };
  const acceptors = Array.from({ length: canShare ? serverLimits.acceptors - 1 : 0 }, () =>
    createServer(accepting, (socket) => server.emit('connection', socket)),
  );
  await Promise.all(acceptors.map((acceptor) => listening(acceptor, shared)));
  return {
    close: async () => {
      await Promise.all(acceptors.map(closed));
    },
  };
}

function listening(server: NetServer, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Resolves when the server listens no longer and its connections have ended. */
const closed = (server: NetServer) => new Promise((resolve) => server.close(resolve));
