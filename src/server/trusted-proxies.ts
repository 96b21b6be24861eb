import type { IncomingHttpHeaders } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** The part of a request that says where it comes from. */
export interface Received {
  headers: IncomingHttpHeaders;
  socket: { remoteAddress?: string | undefined };
}

/** Traefik names the scheme of a WebSocket. */
const schemes: Readonly<Record<string, string>> = { http: 'http', https: 'https', ws: 'http', wss: 'https' };
/** A host name, an IPv4 address or an IPv6 address in brackets, and a port. */
const hostShape = /^(?:[\w.-]{1,253}|\[[\da-f:.]{2,45}\])(:\d{1,5})?$/i;

/** The proxies in front of the server. What others write into `X-Forwarded-*` is ignored. */
export class TrustedProxies {
  readonly #hops: number;
  readonly #ranges = new BlockList();

  /** `trusted`: the number of proxies that each request passes, or their ranges in CIDR notation; null: there is none. */
  constructor(trusted: number | readonly string[] | null) {
    this.#hops = typeof trusted === 'number' ? trusted : 0;
    for (const range of typeof trusted === 'number' ? [] : (trusted ?? [])) {
      const [address = '', prefix] = range.split('/');
      this.#ranges.addSubnet(address, Number(prefix), familyOf(address));
    }
  }

  /** Whether a connection is that of a proxy. */
  isProxy({ remoteAddress }: Received['socket']): boolean {
    return this.#trusts(addressIn(remoteAddress ?? '') ?? '', 0);
  }

  /**
   * The address of the client: the nearest one that no trusted proxy has. Each proxy appends the address that it serves to
   * `X-Forwarded-For`, and whatever is further left can be forged. Where a proxy wrote no address, it is that of the proxy.
   */
  addressOf({ headers, socket }: Received): string {
    let address = addressIn(socket.remoteAddress ?? '') ?? '';
    const forwarded = valuesOf(headers, 'x-forwarded-for').reverse();
    for (const [index, text] of forwarded.entries()) {
      const next = this.#trusts(address, index) ? addressIn(text) : null;
      if (next === null) break;
      address = next;
    }
    return address;
  }

  /**
   * The origin at which the client of a proxy reaches the server, from the headers of the nearest proxy; null for other
   * clients, and where no header has a valid host.
   */
  originOf({ headers, socket }: Received): string | null {
    if (!this.isProxy(socket)) return null;
    const scheme = schemes[last(headers, 'x-forwarded-proto').toLowerCase()] ?? 'http';
    const host = [last(headers, 'x-forwarded-host'), headers.host ?? ''].find((text) => hostShape.test(text));
    if (host === undefined) return null;
    const hasPort = hostShape.exec(host)?.[1] !== undefined;
    const port = hasPort ? '' : portIn(last(headers, 'x-forwarded-port'));
    return URL.parse(`${scheme}://${host}${port}`)?.origin ?? null;
  }

  /** `index`: how many proxies are between the address and the server. */
  #trusts(address: string, index: number): boolean {
    if (this.#hops > 0) return index < this.#hops;
    return address !== '' && this.#ranges.check(address, familyOf(address));
  }
}

const familyOf = (address: string) => (isIP(address) === 4 ? 'ipv4' : 'ipv6');

/** The values of a header, which Node.js joins with commas if there are several. */
function valuesOf(headers: IncomingHttpHeaders, name: string): string[] {
  const text = headers[name];
  return typeof text === 'string' ? text.split(',').map((value) => value.trim()) : [];
}

/** The value that the nearest proxy wrote: those before it can be the client's. */
const last = (headers: IncomingHttpHeaders, name: string) => valuesOf(headers, name).at(-1) ?? '';

/** The address in `192.0.2.1:80`, `[2001:db8::1]:80`, or a bare address; without its zone. null: there is none. */
function addressIn(text: string): string | null {
  const [, bracketed, dotted] = /^\[([^\]]+)\](?::\d+)?$|^([\d.]+):\d+$/.exec(text) ?? [];
  const address = bracketed ?? dotted ?? text;
  return isIP(address) === 0 ? null : (address.split('%', 1)[0] as string);
}

/** A port behind a host; none for the usual ports, which URLs omit and which an inner proxy may have for itself. */
const portIn = (text: string) => (/^\d{1,5}$/.test(text) && !['80', '443'].includes(text) ? `:${text}` : '');
