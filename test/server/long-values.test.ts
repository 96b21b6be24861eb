import { beforeAll, expect, test } from 'vitest';
import type { Answer } from '../support/client.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp({ environment: { MAX_RESPONSE_BYTES: '1000000' } });

const id = (kind: string, index = 'i') => `'${kind}_' || lpad((${index})::text, 26, '0')`;
const thread = id('thread', 'i % 20');

/**
 * Copies the first row of a table. `columns` sets columns of the copies to SQL expressions of their number i; `texts` are the
 * columns that become long.
 */
async function copyRow(table: string, count: number, columns: Record<string, string>, texts: string[] = []) {
  const { database } = app.app.services;
  const changes = Object.entries(columns).map(([name, value]) => `'${name}', ${value}`);
  const stored = await database.$queryRaw<Array<{ name: string }>>`
    SELECT column_name AS "name" FROM information_schema.columns WHERE table_name = ${table} AND is_generated = 'NEVER'`;
  const names = stored.map(({ name }) => `"${name}"`).join(', ');
  await database.$executeRawUnsafe(`
    INSERT INTO "${table}" (${names}) SELECT ${names} FROM (
      SELECT (jsonb_populate_record(NULL::"${table}", to_jsonb(t) || jsonb_build_object(${changes.join(', ')}))).*
      FROM (SELECT * FROM "${table}" ORDER BY "id" LIMIT 1) t, generate_series(0, ${count - 1}) i
    ) copies`);
  const long = texts.map((name) => `"${name}" = repeat('.', 100000)`).join(', ');
  if (long !== '') await database.$executeRawUnsafe(`UPDATE "${table}" SET ${long} WHERE "id" LIKE '%\\_0000000%'`);
}

/** 20 threads of 50 messages and 50 runs of a step and a call, each with 100 kB of every text: 100 MB each. */
beforeAll(async () => {
  const tools = [{ function: { name: 'look_up' } }];
  const { id: assistantId } = await app.client.createAssistant({ tools, instructions: 'short' });
  const run = await app.client.ask('please look_up', { assistantId });
  const waiting = await app.client.finished(run.id, 'requiredAction { toolCalls { id } }');
  const outputs = waiting.requiredAction.toolCalls.map(({ id: toolCallId }: { id: string }) => ({
    toolCallId,
    output: '1',
  }));
  await app.client.mutate('submitToolOutputs', { runId: run.id, outputs }, 'run { id }');
  expect(await app.client.finished(run.id)).toMatchObject({ status: 'COMPLETED' });
  await copyRow('Thread', 20, { id: thread, activeRunId: 'NULL', assistantId: `'${assistantId}'` });
  const inThread = { threadId: thread, runId: 'NULL' };
  await copyRow('Message', 1000, { id: id('msg'), ...inThread, position: 'i + 1' }, ['text']);
  await copyRow('Run', 1000, { id: id('run'), threadId: thread, number: 'i + 100' }, ['instructions']);
  await copyRow('Step', 1000, { id: id('step'), runId: id('run') }, ['reasoning']);
  await copyRow('ToolCall', 1000, { id: id('call'), stepId: id('step') }, ['arguments', 'output']);
});

const codesOf = ({ errors = [] }: Answer) => [...new Set(errors.map(({ extensions }) => extensions.code))];

const tooLong: Record<string, string> = {
  'texts of messages': '{ threads(first: 100) { nodes { messages(first: 100) { nodes { text } } } } }',
  'contents of messages':
    '{ threads(first: 10) { nodes { messages(first: 100) { nodes { content { ... on TextContent { text } } } } } } }',
  'instructions of runs': '{ threads(first: 100) { nodes { runs(first: 100) { nodes { instructions } } } } }',
  'reasoning of steps':
    '{ threads(first: 100) { nodes { runs(first: 50) { nodes { steps(first: 1) { nodes { reasoning } } } } } } }',
  'arguments of calls':
    '{ runs(first: 100) { nodes { steps(first: 1) { nodes { toolCalls { ... on FunctionToolCall { arguments } } } } } } }',
  'texts in many aliases': `{ ${Array.from({ length: 20 }, (_, index) => `a${index}: thread(id: "thread_${String(index).padStart(26, '0')}") { messages(first: 100) { nodes { text } } }`).join(' ')} }`,
};

test.each(Object.keys(tooLong))('%s beyond the limit of an answer are refused without being read', async (name) => {
  await app.client.send('{ threads(first: 100) { nodes { messages(first: 100) { nodes { id } } } } }');
  const { maxRSS } = process.resourceUsage();
  const answer = await app.client.send(tooLong[name] as string);
  expect(codesOf(answer)).toEqual(['RESPONSE_TOO_LARGE']);
  const megabytes = (process.resourceUsage().maxRSS - maxRSS) / 1000;
  expect(megabytes).toBeLessThan(60);
});

test('texts that fit are all returned, of many lists with one statement', async () => {
  const threads = 'threads(first: 4) { nodes { messages(first: 2) { nodes { id text } } } }';
  const query = `{ assistants(first: 9) { nodes { ${threads} } } }`;
  const statements = await app.statements(() => app.client.data(query));
  expect(statements).toHaveLength(2);
  const { assistants } = await app.client.data(query);
  type Lists = { threads: { nodes: Array<{ messages: { nodes: unknown[] } }> } };
  const texts = assistants.nodes.flatMap((assistant: Lists) =>
    assistant.threads.nodes.flatMap(({ messages }) => messages.nodes),
  );
  expect(texts.length).toBeGreaterThanOrEqual(7);
});

test('lists that show no texts do not read them', async () => {
  const query = '{ threads(first: 100) { nodes { messages(first: 100) { nodes { id role } } } } }';
  const [statement = ''] = await app.statements(() => app.client.data(query));
  expect(statement).not.toMatch(/"text"|"parts"|"annotations"/);
});
