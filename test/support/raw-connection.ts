import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A TCP connection to a server under test, for requests that no HTTP client sends. */
export class RawConnection implements Disposable {
  readonly socket: Socket;
  /** Resolves when the connection has closed. */
  readonly closed: Promise<unknown>;
  /** What the server has sent. */
  received = '';

  private constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      this.received += bytes.toString('latin1');
    });
  }

  /** Opens a connection. The server may close it at once. */
  static async open(url: string): Promise<RawConnection> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    return new RawConnection(socket);
  }

  send(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  /** Sends the head of a POST to /graphql. */
  post(headers: Record<string, string | number>): void {
    const lines = Object.entries({ host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    this.send(`POST /graphql HTTP/1.1\r\n${lines.join('')}\r\n`);
  }

  /** Resolves when the server has sent a text that fits, with the status of its response; rejects when it closes without one. */
  async until(pattern: RegExp): Promise<number> {
    while (!pattern.test(this.received)) {
      if (this.socket.destroyed) throw new Error(`the server closed the connection after: ${this.received}`);
      await new Promise((resolve) => {
        this.socket.once('data', resolve);
        void this.closed.then(resolve);
      });
    }
    return Number(/^HTTP\/1\.1 (\d+)/.exec(this.received)?.[1]);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
