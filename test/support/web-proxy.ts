import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:tls';

const canStart = (program: string, ...args: string[]) => spawnSync(program, args).status === 0;

/** The proxies that docs/proxies.md has a configuration for, and whether they are installed. */
export const webProxies = {
  nginx: canStart('nginx', '-v') && canStart('openssl', 'version'),
  caddy: canStart('caddy', 'version'),
};
export type ProxyName = keyof typeof webProxies;

/** Replaces texts, each of which must occur exactly once. */
function replaceEach(text: string, replacements: Record<string, string>): string {
  return Object.entries(replacements).reduce((result, [from, to]) => {
    const parts = result.split(from);
    if (parts.length !== 2) throw new Error(`"${from}" must occur once in the configuration`);
    return parts.join(to);
  }, text);
}

/** The configuration of a proxy in docs/proxies.md. */
async function documented(name: ProxyName): Promise<string> {
  const document = await readFile(new URL('../../docs/proxies.md', import.meta.url), 'utf8');
  const [, configuration] = new RegExp(`\`\`\`${name}\n([^\`]+)\`\`\``).exec(document) ?? [];
  if (configuration === undefined) throw new Error(`docs/proxies.md has no configuration of ${name}`);
  return configuration;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** A proxy in front of a server, with its configuration of docs/proxies.md, on localhost and a free port. */
export class WebProxy implements AsyncDisposable {
  readonly url: string;
  /** The certificate of the authority that its clients must trust. */
  ca = '';
  readonly #port: number;
  readonly #folder: string;
  #child: ChildProcess | null = null;
  #output = '';

  private constructor(port: number, folder: string) {
    this.url = `https://localhost:${port}`;
    this.#port = port;
    this.#folder = folder;
  }

  /** `upstream`: the URL of the server. */
  static async start(name: ProxyName, upstream: string): Promise<WebProxy> {
    const proxy = new WebProxy(await freePort(), await mkdtemp(join(tmpdir(), `assistant-graph-${name}-`)));
    const configuration = replaceEach(await documented(name), { '127.0.0.1:4000': new URL(upstream).host });
    await (name === 'nginx' ? proxy.#startNginx(configuration) : proxy.#startCaddy(configuration));
    return proxy;
  }

  async #startNginx(configuration: string): Promise<void> {
    const [key, certificate] = [this.#path('key.pem'), this.#path('certificate.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2'];
    const files = ['-keyout', key, '-out', certificate];
    spawnSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject, ...files]);
    this.ca = await readFile(certificate, 'utf8');
    const site = replaceEach(configuration, {
      'listen 443 ssl http2': `listen 127.0.0.1:${this.#port} ssl http2`,
      'server_name graph.example.com': 'server_name localhost',
      '/etc/ssl/certs/graph.example.com.pem': certificate,
      '/etc/ssl/private/graph.example.com.key': key,
    });
    const user = process.getuid?.() === 0 ? 'user root;' : '';
    const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    const folders = kinds.map((kind) => `${kind}_temp_path ${this.#path(kind)};`).join(' ');
    const main = `daemon off; ${user} pid ${this.#path('pid')}; error_log stderr; events {}`;
    await writeFile(this.#path('nginx.conf'), `${main}\nhttp { access_log off; ${folders}\n${site}}\n`);
    await this.#run('nginx', ['-p', this.#folder, '-e', 'stderr', '-c', this.#path('nginx.conf')]);
  }

  async #startCaddy(configuration: string): Promise<void> {
    const site = replaceEach(configuration, { 'graph.example.com {': `localhost:${this.#port} {\n  tls internal` });
    const global =
      '{\n  admin off\n  skip_install_trust\n  auto_https disable_redirects\n  default_bind 127.0.0.1\n}\n';
    await mkdir(this.#path('home'));
    await writeFile(this.#path('Caddyfile'), global + site);
    await this.#run('caddy', ['run', '--adapter', 'caddyfile', '--config', this.#path('Caddyfile')]);
    this.ca = await readFile(this.#path('home/caddy/pki/authorities/local/root.crt'), 'utf8');
  }

  #path = (name: string) => join(this.#folder, name);

  /** Starts the program; resolves when it serves clients. */
  async #run(program: string, args: string[]): Promise<void> {
    const home = this.#path('home');
    const env = { PATH: process.env.PATH, HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home };
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#output += chunk;
      });
    }
    while (!(await this.#isReady())) {
      if (child.exitCode !== null) throw new Error(`${program} ended: ${this.#output}`);
      await delay(50);
    }
  }

  /** Whether it has its certificate, which Caddy makes after it has begun to listen. */
  #isReady(): Promise<boolean> {
    return new Promise((resolve) => {
      const about = { host: '127.0.0.1', port: this.#port, servername: 'localhost', rejectUnauthorized: false };
      const socket = connect(about, () => {
        resolve(true);
        socket.destroy();
      });
      socket.once('error', () => resolve(false));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    if (child && child.exitCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}
