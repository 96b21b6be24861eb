import { expect, test } from 'vitest';
import { isUnavailable } from '../../src/db/unavailable.ts';

const prisma = (code: string, cause?: object) =>
  Object.assign(new Error('failed'), { code, clientVersion: '7', meta: { driverAdapterError: { cause } } });
const driver = (code: string) => Object.assign(new Error('failed'), { code, severity: 'FATAL' });
const system = (code: string) => Object.assign(new Error('failed'), { code, syscall: 'connect', errno: -1 });

test.each<[string, unknown]>([
  ['a refused connection', system('ECONNREFUSED')],
  ['a shutdown', driver('57P01')],
  ['a start', driver('57P03')],
  ['too many connections', driver('53300')],
  ['a broken connection', driver('08006')],
  ['a full disk', driver('53100')],
  ['a former primary', driver('25006')],
  ['a password that was changed', driver('28P01')],
  ['a server that Prisma cannot reach', prisma('P1001')],
  ['a pool without a free connection', prisma('P2024')],
  ['a transaction that found no connection', prisma('P2028')],
  ['a raw query of Prisma', prisma('P2010', { kind: 'postgres', code: '57P01', originalCode: '57P01' })],
  ['a closed connection of the adapter', prisma('P1017', { kind: 'ConnectionClosed' })],
  ['a lost connection', new Error('Connection terminated unexpectedly')],
  ['a copy of an error, as pg-boss reports it', { ...system('ECONNRESET'), message: 'read ECONNRESET', queue: 'run' }],
  ['a lost connection of pg-boss', { message: 'Connection terminated unexpectedly (Queue: run, Worker: 1)' }],
  ['a pool in which nobody answers', new Error('timeout exceeded when trying to connect')],
])('the database is unavailable: %s', (_name, error) => {
  expect(isUnavailable(error)).toBe(true);
});

test.each<[string, unknown]>([
  ['a row that exists', prisma('P2002', { kind: 'UniqueConstraintViolation', originalCode: '23505' })],
  ['a row that a check refuses', prisma('P2010', { kind: 'postgres', code: '23514', originalCode: '23514' })],
  ['a deadlock', prisma('P2034', { kind: 'TransactionWriteConflict', originalCode: '40P01' })],
  ['a statement with an error', driver('42601')],
  ['a provider that cannot be reached', new TypeError('fetch failed', { cause: system('ECONNREFUSED') })],
  ['a missing file', system('ENOENT')],
  ['a code of Prisma from elsewhere', Object.assign(new Error('failed'), { code: 'P1001' })],
  ['another error', new Error('no')],
  ['no error', null],
])('the database is available: %s', (_name, error) => {
  expect(isUnavailable(error)).toBe(false);
});
