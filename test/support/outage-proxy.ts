import { createHash } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';

/** What the proxy does with connections: pass them, cut them, or let all their packets vanish. */
type Mode = 'pass' | 'cut' | 'stall';
/** What happens to the next COMMIT: it reaches the server, whose answer is lost, or it is lost itself. */
type CommitLoss = 'answer' | 'commit';

/** With a name, later uses of the statement do not repeat its text; see `statementNames` in src/db/postgres.ts. */
const commits = ['COMMIT', createHash('sha256').update('COMMIT').digest('base64url').slice(0, 24)];

/** A TCP proxy in front of PostgreSQL that makes it unavailable. */
export class OutageProxy implements AsyncDisposable {
  readonly #target: URL;
  readonly #server = createServer((client) => this.#accept(client));
  readonly #open = new Set<Socket>();
  #mode: Mode = 'pass';
  #loss: { kind: CommitLoss; done: () => void } | null = null;
  /** The connections that were refused since the last `cut`. */
  refused = 0;

  private constructor(target: URL) {
    this.#target = target;
  }

  static async start(url: string): Promise<OutageProxy> {
    const proxy = new OutageProxy(new URL(url));
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  /** The URL of the database through the proxy. */
  get url(): string {
    const url = new URL(this.#target);
    url.hostname = '127.0.0.1';
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  /** Closes all connections and refuses others. */
  cut(): void {
    this.#mode = 'cut';
    this.refused = 0;
    this.#closeAll();
  }

  /** Lets all packets vanish, also those of new connections. */
  stall(): void {
    this.#mode = 'stall';
    for (const socket of this.#open) socket.pause();
  }

  /** Passes new connections. Those from before stay as they are. */
  restore(): void {
    this.#mode = 'pass';
  }

  /** Loses the next COMMIT of a client, or its answer, and closes the connection. Resolves when that has happened. */
  loseCommit(kind: CommitLoss): Promise<void> {
    return new Promise((done) => {
      this.#loss = { kind, done };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#mode = 'cut';
    this.#closeAll();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #closeAll(): void {
    for (const socket of this.#open) socket.destroy();
  }

  #accept(client: Socket): void {
    client.on('error', () => {});
    if (this.#mode === 'cut') {
      this.refused += 1;
      client.destroy();
      return;
    }
    this.#open.add(client);
    client.once('close', () => this.#open.delete(client));
    if (this.#mode === 'stall') client.pause();
    else this.#pass(client, connect(Number(this.#target.port), this.#target.hostname));
  }

  #pass(client: Socket, server: Socket): void {
    this.#open.add(server);
    server.on('error', () => {});
    server.once('close', () => {
      this.#open.delete(server);
      client.destroy();
    });
    client.once('close', () => server.destroy());
    let isAnswerLost = false;
    client.on('data', (bytes: Buffer) => {
      const loss = commits.some((text) => bytes.includes(text)) ? this.#loss : null;
      if (loss) this.#loss = null;
      if (loss?.kind === 'commit') {
        client.destroy();
        return loss.done();
      }
      server.write(bytes);
      if (!loss) return;
      isAnswerLost = true;
      server.once('data', async () => {
        await turn();
        client.destroy();
        loss.done();
      });
    });
    server.on('data', (bytes: Buffer) => {
      if (!isAnswerLost) client.write(bytes);
    });
  }
}
