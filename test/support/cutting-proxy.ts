import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP proxy that cuts connections. */
export class CuttingProxy implements AsyncDisposable {
  readonly #server;
  readonly #open = new Set<Socket>();
  readonly #clients = new Set<Socket>();
  readonly #bytesBeforeCut: () => number;
  /** The number of connections accepted. */
  accepted = 0;
  /** The number of connections cut. */
  cuts = 0;

  private constructor(target: URL, bytesBeforeCut: () => number) {
    this.#bytesBeforeCut = bytesBeforeCut;
    this.#server = createServer((client) => this.#pass(client, connect(Number(target.port), target.hostname)));
  }

  /** `bytesBeforeCut`: the number of bytes from the server that pass before the connection is cut. */
  static async start(url: string, bytesBeforeCut: () => number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(new URL(url), bytesBeforeCut);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  /** Sends bytes to all clients as if the server had sent them. */
  inject(bytes: string): void {
    for (const client of this.#clients) client.write(bytes);
  }

  /** Stops all data on the open connections without closing them. */
  freeze(): void {
    for (const socket of this.#open) socket.pause();
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #pass(client: Socket, server: Socket): void {
    let left = this.#bytesBeforeCut();
    const end = () => {
      client.destroy();
      server.destroy();
      this.#open.delete(client);
      this.#clients.delete(client);
      this.#open.delete(server);
    };
    this.#clients.add(client);
    this.accepted += 1;
    for (const socket of [client, server]) {
      this.#open.add(socket);
      socket.on('error', end).on('close', end);
    }
    client.on('data', (bytes: Buffer) => server.write(bytes));
    server.on('data', (bytes: Buffer) => {
      // The cut may fall inside a message.
      client.write(bytes.subarray(0, left));
      left -= bytes.length;
      if (left > 0) return;
      this.cuts += 1;
      setImmediate(end);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
