import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

const globalV6 = ipaddr.IPv6.parseCIDR('2000::/3');
/** Ranges that ipaddr.js counts as global, but that are special-purpose or translate to other addresses (IANA registries). */
const notPublic = [
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '2002::/16',
  '2001::/23',
  '2001:db8::/32',
  '3fff::/20',
  '192.88.99.0/24',
].map((range) => ipaddr.parseCIDR(range));

/** Parses an address. An IPv4-mapped IPv6 address becomes the IPv4 address. Returns null for any other text. */
function parse(text: string): Address | null {
  if (text.includes('%') || !ipaddr.isValid(text)) return null;
  const address = ipaddr.parse(text);
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

const isIn = (address: Address, [network, bits]: [Address, number]) =>
  network.kind() === address.kind() && address.match(network as never, bits);

/** Whether an address is on the public internet: not private, local, shared, reserved, multicast or a translation of such. */
export function isPublicAddress(text: string): boolean {
  const address = parse(text);
  if (address?.range() !== 'unicast') return false;
  if (address.kind() === 'ipv6' && !isIn(address, globalV6)) return false;
  return !notPublic.some((range) => isIn(address, range));
}

/** The hosts and addresses that plugins may call. */
export class HostPolicy {
  readonly #hosts: Set<string>;
  readonly #ranges: Array<[Address, number]>;

  /** `allowed`: host names, addresses and CIDR ranges that may be called although they are not public. */
  constructor(allowed: readonly string[]) {
    const isRange = (entry: string) => ipaddr.isValidCIDR(entry) || ipaddr.isValid(entry);
    this.#hosts = new Set(allowed.filter((entry) => !isRange(entry)));
    this.#ranges = allowed.filter(isRange).map((entry) => {
      const bits = entry.includes(':') ? 128 : 32;
      return ipaddr.parseCIDR(entry.includes('/') ? entry : `${entry}/${bits}`);
    });
  }

  /** Whether a host may be called at an address to which its name resolves. */
  allows(host: string, address: string): boolean {
    if (this.#hosts.has(host.toLowerCase().replace(/\.$/, ''))) return true;
    const parsed = parse(address);
    if (parsed && this.#ranges.some((range) => isIn(parsed, range))) return true;
    return isPublicAddress(address);
  }
}
