// What row-level security would cost on PostgreSQL: the statement of a page of 20 messages, sent by the server's own bound
// client, as it is, and as row-level security needs it: in a transaction that first says which workspace it is for. Needs
// DATABASE_URL, a PostgreSQL database of its own, as a role that may make roles.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { bindToWorkspace } from '../src/db/client.ts';
import { openPostgres } from '../src/db/postgres.ts';

const address = process.env.DATABASE_URL;
if (!address) throw new Error('set DATABASE_URL');
const seconds = Number(process.env.BENCH_SECONDS ?? 8);
const connections = 16;
const role = `bench_${randomBytes(4).toString('hex')}`;
const [workspaceId, threadId] = ['ws_bench', 'thread_bench'];
const tables = ['Thread', 'Message'];

const owner = await openPostgres({ url: address, connections: 20 }, () => {});
await owner.client.workspace.deleteMany({ where: { id: workspaceId } });
await owner.client.workspace.create({ data: { id: workspaceId, name: 'Bench' } });
await owner.client.thread.create({ data: { workspaceId, id: threadId } });
await owner.client.message.createMany({
  data: Array.from({ length: 40 }, (_, index) => ({
    workspaceId,
    id: `msg_bench_${index}`,
    threadId,
    role: 'USER' as const,
    text: `Message ${index}: ${'some words '.repeat(20)}`,
    position: index + 1,
    completedAt: new Date(),
  })),
});

const admin = new pg.Client({ connectionString: address });
await admin.connect();
await admin.query(`CREATE ROLE ${role} LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role}`);
for (const table of tables) {
  await admin.query(
    `CREATE POLICY bench ON "${table}" USING ("workspaceId" = current_setting('app.workspace', true)); ALTER TABLE "${table}" ENABLE ROW LEVEL SECURITY`,
  );
}
const asRole = new URL(address);
asRole.username = role;
const member = await openPostgres({ url: asRole.href, connections: 20 }, () => {});

const page = {
  where: { id: threadId },
  include: { messages: { take: 21, orderBy: { position: 'desc' as const } } },
};

async function rate(read: () => Promise<unknown>): Promise<number> {
  for (let index = 0; index < 300; index += 1) await read();
  let count = 0;
  const until = Date.now() + seconds * 1000;
  const reader = async () => {
    for (; Date.now() < until; count += 1) await read();
  };
  await Promise.all(Array.from({ length: connections }, reader));
  return count / seconds;
}

const bound = bindToWorkspace(owner.client, workspaceId);
const secured = bindToWorkspace(member.client, workspaceId);
const securedPage = async () => {
  const [, thread] = await secured.$transaction([
    secured.$executeRaw`SELECT set_config('app.workspace', ${workspaceId}, true)`,
    secured.thread.findFirst(page),
  ]);
  if (thread?.messages.length !== 21) throw new Error('the policy hides what it should show');
};
const plain: number[] = [];
const withPolicies: number[] = [];
for (let round = 0; round < 2; round += 1) {
  plain.push(await rate(() => bound.thread.findFirst(page)));
  withPolicies.push(await rate(securedPage));
}
const mean = (rates: number[]) => rates.reduce((sum, one) => sum + one, 0) / rates.length;
console.log(`page of 20 messages through the bound client, PostgreSQL, ${connections} at a time, reads/s`);
console.log(`  bound client                       ${mean(plain).toFixed(0)}`);
console.log(
  `  the same with row-level security   ${mean(withPolicies).toFixed(0)}   ratio ${(mean(withPolicies) / mean(plain)).toFixed(2)}`,
);

for (const table of tables) {
  await admin.query(`ALTER TABLE "${table}" DISABLE ROW LEVEL SECURITY; DROP POLICY bench ON "${table}"`);
}
await owner.client.workspace.deleteMany({ where: { id: workspaceId } });
await member.close();
await admin.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
await admin.end();
await owner.close();
