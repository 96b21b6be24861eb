import { resolve } from 'node:path';
import { z } from 'zod';
import { isMistyped } from '../secret/key-secret.ts';

/** A kind of value: how its text is parsed, and the words for it in errors and in the documentation. */
export interface Kind<T> {
  /** Completes the sentence "It accepts …". */
  readonly accepts: string;
  readonly schema: z.ZodType<T, string>;
  /** The smallest and the largest number, in the unit of the variable, or the number of characters of a text. */
  readonly bounds?: { readonly min: number; readonly max: number; readonly unit: string };
  /** Replaces `accepts` in the documentation. */
  readonly short?: string;
}

/** A whole number. `unit`: a plural noun, for example `bytes`. */
export function whole(min: number, max: number, unit = ''): Kind<number> {
  const schema = z.string().regex(/^\d+$/).transform(Number).pipe(z.number().min(min).max(max));
  return {
    accepts: `a whole number${unit && ` of ${unit}`} from ${min} to ${max}`,
    schema,
    bounds: { min, max, unit },
  };
}

/** A whole number of seconds, in the configuration as milliseconds. */
export function seconds(min: number, max: number): Kind<number> {
  const kind = whole(min, max, 'seconds');
  return { ...kind, schema: kind.schema.transform((value) => value * 1000) };
}

export const bytes = (min: number, max: number) => whole(min, max, 'bytes');

/** A key or password. */
export function printable(min: number, max: number): Kind<string> {
  const schema = z
    .string()
    .min(min)
    .max(max)
    .regex(/^[\x21-\x7e]+$/);
  const accepts = `${min} to ${max} printable characters without spaces`;
  return { accepts, schema, bounds: { min, max, unit: 'characters' } };
}

/** The secret of the admin key: the operator's own, or one that a server generated. */
export function adminKey(min: number, max: number): Kind<string> {
  const { schema, accepts, bounds } = printable(min, max);
  return {
    accepts: `${accepts}; a generated key (ag_…) must have no typing error`,
    schema: schema.refine((text) => !isMistyped(text)),
    bounds,
  };
}

/** A single word or phrase without a format of its own. */
export function text(max: number, accepts = `a text of up to ${max} characters`): Kind<string> {
  return { accepts, schema: z.string().min(1).max(max), bounds: { min: 1, max, unit: 'characters' } };
}

const matching = (accepts: string, shape: RegExp, short: string): Kind<string> => ({
  ...{ accepts, short },
  schema: z.string().regex(shape),
});

export const oneOf = <const Names extends readonly string[]>(...names: Names): Kind<Names[number]> => ({
  accepts: new Intl.ListFormat('en-GB', { type: 'disjunction' }).format(names),
  schema: z.enum(names),
});

export const flag: Kind<boolean> = {
  accepts: 'true or false',
  schema: z.enum(['true', 'false']).transform((value) => value === 'true'),
};

/** The URL of a service, unchanged. `protocols`: without a colon. */
export function url(...protocols: string[]): Kind<string> {
  const starts = protocols.map((protocol) => `${protocol}://`);
  return {
    accepts: `a URL that starts with ${starts.join(' or ')}`,
    short: starts.map((start) => `${start}…`).join(', '),
    schema: z.url({ protocol: new RegExp(`^(?:${protocols.join('|')})$`) }),
  };
}

/** A URL to which paths are appended: without slashes at its end. */
export const baseUrl: Kind<string> = {
  accepts: 'an http(s) URL',
  schema: url('http', 'https').schema.transform((address) => address.replace(/\/+$/, '')),
};

export const originUrl: Kind<string> = {
  accepts: 'an http(s) URL without a path',
  schema: baseUrl.schema.refine((address) => URL.parse(address)?.pathname === '/'),
};

/** A path, absolute in the configuration. */
export const folder: Kind<string> = {
  accepts: 'a folder',
  schema: z
    .string()
    .min(1)
    .transform((path) => resolve(path)),
};

export const jsonFile: Kind<string> = { accepts: 'a path to a JSON file', schema: z.string().min(1) };

/** Whether the environment is the production environment. */
export const environment: Kind<boolean> = {
  accepts: 'any text',
  schema: z.string().transform((name) => name === 'production'),
};

export const logLevel = {
  ...oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
  short: 'trace … fatal, silent',
};
export const host = matching('an address to listen on, for example 127.0.0.1 or ::', /^[\w.:-]+$/, 'an address');
export const modelName = matching('a model, for example alibaba/qwen-plus or demo', /^\S{1,200}$/, 'a model');
export const embeddingModelName = matching(
  'an embedding model, for example alibaba/text-embedding-v4',
  /^[^/\s]+\/\S+$/,
  '`vendor/model`',
);
export const imageModelName = matching(
  'an image model, for example openai/gpt-image-1-mini',
  /^[^/\s]+\/\S+$|^demo$/,
  '`vendor/model` or `demo`',
);
export const claimName = text(200, 'the name of a claim');

const isUrl = /^\w+:\/\//;

/** A folder of wheels, absolute in the configuration, or the URL of an index. */
export const wheels: Kind<string> = {
  accepts: 'a folder of wheels, or the http(s) URL of a Pyodide release',
  short: 'a folder or an http(s) URL',
  schema: z.string().transform((place, ctx) => {
    if (!isUrl.test(place)) return resolve(place);
    const address = baseUrl.schema.safeParse(place);
    if (!address.success) ctx.addIssue('not an http(s) URL');
    return address.data ?? z.NEVER;
  }),
};

/** Texts separated by commas, in lower case. The empty text, as a default, is an empty list. */
function list(accepts: string, shape: RegExp, short: string): Kind<string[]> {
  const item = z.string().regex(shape);
  const split = (items: string) => (items ? items.split(',') : []).map((each) => each.trim().toLowerCase());
  return { accepts, short, schema: z.string().transform(split).pipe(z.array(item)) };
}

/** Hosts, addresses, and ranges in CIDR notation. */
export const hosts = list(
  'hosts, addresses and ranges such as crm.internal or 10.1.0.0/16, separated by commas',
  /^[a-z0-9.-]+$|^[0-9a-f:.]+(\/\d{1,3})?$/,
  'hosts and ranges',
);

const origin = /^(https?:\/\/[a-z0-9.-]+(:\d+)?|https?:\/\/\[[0-9a-f:]+\](:\d+)?|null)$/;

/** Web origins; `*` for all. */
export const origins: Kind<'*' | string[]> = {
  accepts: 'origins such as https://app.example.com, separated by commas, or *',
  short: 'origins, or `*`',
  schema: z
    .string()
    .trim()
    .pipe(z.union([z.literal('*'), list('origins', origin, '').schema])),
};
