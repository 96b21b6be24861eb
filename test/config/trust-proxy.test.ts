import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { ConfigError } from '../../src/config/config-error.ts';

const read = (text: string) => readConfig({ TRUST_PROXY: text }).config.trustProxy;

test('no proxy is trusted unless TRUST_PROXY is set', () => {
  expect(readConfig({}).config.trustProxy).toBeNull();
});

test.each<[string, number | string[]]>([
  ['1', 1],
  ['10', 10],
  ['10.0.0.7', ['10.0.0.7/32']],
  ['10.1.0.0/16, 2001:DB8::/32 ,::1', ['10.1.0.0/16', '2001:db8::/32', '::1/128']],
  ['loopback', ['127.0.0.0/8', '::1/128']],
  ['Private,192.0.2.1', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7', '192.0.2.1/32']],
])('TRUST_PROXY accepts %s', (text, value) => {
  expect(read(text)).toEqual(value);
});

describe('TRUST_PROXY stops the start with one line for', () => {
  test.each([
    ...['0', '11', '-1', '1.5', 'true', 'false', '*', 'constructor', 'proxy.internal', '10.0.0', '010.0.0.1'],
    ...['10.0.0.1/33', '10.0.0.1/', '::1/129', 'fe80::1%eth0', '10.0.0.1:80', '10.0.0.1,', ',', '1,10.0.0.1'],
  ])('%s', (text) => {
    const accepted =
      'a number of proxies from 1 to 10, or addresses and ranges such as 10.0.0.7, 10.1.0.0/16, loopback and private, separated by commas';
    expect(() => read(text)).toThrow(new ConfigError(`TRUST_PROXY is not valid: it accepts ${accepted}.`));
  });
});
