import pg from 'pg';

/** The connections of this process to PostgreSQL, of several pools, so that they can be dropped when their packets vanish. */
export class PostgresConnections {
  /** The class of the connections, for the option `Client` of a pool. */
  readonly Client: typeof pg.Client;
  readonly #connecting = new Set<pg.Client>();
  readonly #connected = new Set<pg.Client>();

  constructor() {
    const [connecting, connected] = [this.#connecting, this.#connected];
    this.Client = class extends pg.Client {
      constructor(config?: string | pg.ClientConfig) {
        super(config);
        connecting.add(this);
        this.once('connect', () => {
          connecting.delete(this);
          connected.add(this);
        });
        this.once('end', () => {
          connecting.delete(this);
          connected.delete(this);
        });
      }
    };
  }

  /** Drops all connections: statements under way fail at once, and those that follow use new connections. */
  dropAll(): void {
    for (const client of [...this.#connecting, ...this.#connected]) destroy(client);
  }

  /** Drops the connections that are being opened: the first packets of each may have vanished. */
  dropPending(): void {
    for (const client of [...this.#connecting]) destroy(client);
  }
}

/** Closes a connection without a goodbye, which a database that does not answer would not acknowledge. */
export function destroy(client: pg.Client): void {
  client.on('error', () => {});
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}
