import { isIP } from 'node:net';
import { z } from 'zod';
import { type Kind, whole } from './kind.ts';

/** The ranges behind a name. */
const named: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

/** The ranges that an address, a range or a name stands for, in CIDR notation; null: it is none of them. */
function rangesOf(text: string): readonly string[] | null {
  if (Object.hasOwn(named, text)) return named[text] as readonly string[];
  const [, address = '', prefix] = /^([\da-f.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const bits = isIP(address) === 4 ? 32 : 128;
  if (isIP(address) === 0 || Number(prefix ?? bits) > bits) return null;
  return [`${address}/${prefix ?? bits}`];
}

const ranges = z.string().transform((text, ctx) => {
  const found = text.split(',').map((item) => rangesOf(item.trim().toLowerCase()));
  if (found.includes(null)) ctx.addIssue('not an address, a range or a name');
  return found.flatMap((item) => item ?? []);
});

/** The most proxies that a request may pass, where they are counted. */
const maxHops = 10;

/** The proxies in front of the server: their number, or their ranges of addresses in CIDR notation. */
export const proxies: Kind<number | string[]> = {
  accepts: `a number of proxies from 1 to ${maxHops}, or addresses and ranges such as 10.0.0.7, 10.1.0.0/16, loopback and private, separated by commas`,
  short: `1 to ${maxHops}, or addresses and ranges`,
  schema: z.union([whole(1, maxHops).schema, ranges]),
};
