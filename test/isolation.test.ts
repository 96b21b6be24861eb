import { readFileSync } from 'node:fs';
import {
  buildSchema,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLOutputType,
  getNamedType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  isUnionType,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bindToWorkspace, UnscopedQueryError } from '../src/db/client.ts';
import { startTestApp, type TestApp } from './support/app.ts';
import type { Client } from './support/client.ts';

const schema = buildSchema(readFileSync(new URL('../schema.graphql', import.meta.url), 'utf8'));

let app: TestApp;
/** Acts in a workspace of its own, where there is nothing. */
let foreigner: Client;
/** Acts in a third workspace, in which nobody has done anything. */
let newcomer: Client;
/** One id of every kind, in the default workspace. */
let ids: Record<string, string>;

beforeAll(async () => {
  app = await startTestApp();
  const { workspace } = await app.client.mutate('createWorkspace', { name: 'Elsewhere' }, 'workspace { id }');
  foreigner = app.in(workspace.id);
  const { workspace: empty } = await app.client.mutate('createWorkspace', { name: 'Empty' }, 'workspace { id }');
  newcomer = app.in(empty.id);
  const assistant = await app.client.createAssistant({ name: 'Secret', tools: [{ function: { name: 'look_up' } }] });
  const run = await app.client.ask('please look_up', { assistantId: assistant.id, metadata: { secret: 'yes' } });
  await app.client.finished(run.id);
  const { run: found, viewer } = await app.client.data(
    'query($id: ID!) { viewer { apiKey { id } workspace { id } } run(id: $id) { steps { nodes { id toolCalls { id } } } thread { messages { nodes { id } } } } }',
    { id: run.id },
  );
  ids = {
    assistant: assistant.id,
    thread: run.thread.id,
    run: run.id,
    message: found.thread.messages.nodes[0].id,
    step: found.steps.nodes[0].id,
    toolCall: found.steps.nodes[0].toolCalls[0].id,
    apiKey: viewer.apiKey.id,
  };
});

afterAll(() => app.stop());

/** A value for an input type; every ID in it is `id`. */
function inputFor(type: GraphQLInputType, id: string, depth = 0): unknown {
  const nullable = getNullableType(type);
  if (isListType(nullable)) return [inputFor(nullable.ofType, id, depth)];
  if (isEnumType(nullable)) return nullable.getValues()[0]?.name;
  if (isInputObjectType(nullable)) {
    const fields = Object.values(nullable.getFields());
    const chosen = nullable.isOneOf ? fields.filter(({ name }) => name === 'text' || name === 'function') : fields;
    const wanted = chosen.filter((field) => isNonNullType(field.type) || hasId(field.type) || nullable.isOneOf);
    return Object.fromEntries(
      wanted
        .slice(0, nullable.isOneOf ? 1 : undefined)
        .flatMap((field) => (depth > 2 ? [] : [[field.name, inputFor(field.type, id, depth + 1)]])),
    );
  }
  const samples: Record<string, unknown> = {
    ID: id,
    Int: 1,
    Float: 1,
    Boolean: false,
    JSON: {},
    Metadata: { by: 'foreigner' },
    DateTime: '2026-01-01T00:00:00Z',
  };
  return nullable.name in samples ? samples[nullable.name] : 'text';
}

const hasId = (type: GraphQLInputType): boolean => getNamedType(type).name === 'ID';

/**
 * A selection of everything that needs no argument, some levels deep. Members of a union may have fields of one name
 * and other types: `tag` gives each member's fields names of their own.
 */
function selectionOf(type: GraphQLOutputType, depth: number, tag = ''): string {
  const named = getNamedType(type);
  if (isUnionType(named)) {
    if (depth === 0) return '{ __typename }';
    const members = named
      .getTypes()
      .map((member, index) => `... on ${member.name} ${selectionOf(member, depth - 1, `${tag}m${index}_`)}`);
    return `{ __typename ${members.join(' ')} }`;
  }
  if (!isObjectType(named) && !isInterfaceType(named)) return '';
  const fields = Object.values(named.getFields()).flatMap((field) => {
    const inner = getNamedType(field.type);
    const isLeaf = !isObjectType(inner) && !isInterfaceType(inner) && !isUnionType(inner);
    const name = tag ? `${tag}${field.name}: ${field.name}` : field.name;
    if (field.args.some((argument) => isNonNullType(argument.type))) return [];
    if (isLeaf) return [name];
    return depth > 0 ? [`${name} ${selectionOf(field.type, depth - 1)}`] : [];
  });
  return `{ __typename ${fields.join(' ')} }`;
}

/** The operation for a root field, and its variables with `id` wherever an ID goes. */
function operationFor(kind: string, field: GraphQLField<unknown, unknown>, id: string, depth: number) {
  const used = field.args.filter(({ type }) => isNonNullType(type) || hasId(type));
  const head = used.map(({ name, type }) => `$${name}: ${type}`).join(', ');
  const call = used.map(({ name }) => `${name}: $${name}`).join(', ');
  const variables = Object.fromEntries(used.map(({ name, type }) => [name, inputFor(type, id)]));
  const selection = selectionOf(field.type, depth);
  return { query: `${kind}${head && `(${head})`} { ${field.name}${call && `(${call})`} ${selection} }`, variables };
}

/** All that the default workspace holds. */
async function everything(): Promise<string> {
  const { database } = app.app.services;
  const where = { workspace: { isDefault: true } };
  return JSON.stringify([
    await database.workspace.findMany({ where: { isDefault: true } }),
    await database.assistant.findMany({ where }),
    await database.thread.findMany({
      where,
      include: { messages: true, events: true, runs: { include: { steps: { include: { toolCalls: true } } } } },
    }),
    await database.apiKey.findMany({ where }),
  ]);
}

const kinds = ['assistant', 'thread', 'run', 'message', 'step', 'toolCall', 'apiKey'];
const queries = Object.values(schema.getQueryType()?.getFields() ?? {});
const mutations = Object.values(schema.getMutationType()?.getFields() ?? {});
const subscriptions = Object.values(schema.getSubscriptionType()?.getFields() ?? {});

/** Texts that would give the default workspace away. */
const leaks = () => [...Object.values(ids), 'Secret', 'please look_up'];

function expectNoLeak(answer: unknown, given: string): void {
  const text = JSON.stringify(answer);
  for (const leak of leaks()) {
    // An id that was asked for may be named in the refusal.
    if (leak !== given) expect(text).not.toContain(leak);
  }
}

describe('a query with ids of another workspace finds nothing', () => {
  test.each(queries.map((field) => [field.name, field] as const))('%s', async (_name, field) => {
    for (const kind of kinds) {
      const id = ids[kind] as string;
      const { query, variables } = operationFor('query', field, id, 2);
      const answer = await foreigner.send(query, variables);
      expect(answer.errors?.map(({ extensions }) => extensions.code) ?? []).not.toContain('INTERNAL_SERVER_ERROR');
      expect(answer.errors?.map(({ extensions }) => extensions.code) ?? []).not.toContain('GRAPHQL_VALIDATION_FAILED');
      if (field.name !== 'viewer') expectNoLeak(answer.data, id);
      const value = answer.data?.[field.name];
      if (field.args.some(({ name }) => name === 'id') && value) expect(value.__typename).toBe('NotFoundError');
      if (field.name === 'nodes') expect(value).toEqual([null]);
    }
  });
});

describe('a mutation with ids of another workspace changes nothing there', () => {
  test.each(mutations.map((field) => [field.name, field] as const))('%s', async (_name, field) => {
    const before = await everything();
    for (const kind of kinds) {
      const id = ids[kind] as string;
      const { query, variables } = operationFor('mutation', field, id, 1);
      const { data, errors } = await foreigner.send(query, variables);
      expect(errors).toBeUndefined();
      expectNoLeak(data, id);
    }
    expect(await everything()).toBe(before);
  });
});

describe('a subscription to something of another workspace is refused', () => {
  test.each(subscriptions.map((field) => [field.name, field] as const))('%s', async (name, field) => {
    for (const kind of kinds) {
      const { query, variables } = operationFor('subscription', field, ids[kind] as string, 0);
      const refused = await foreigner
        .subscribe(query, variables, name)
        .next()
        .catch((error) => error);
      expect(refused.errors?.[0]?.extensions.code).toBe('NOT_FOUND');
    }
  });
});

test('lists, counts and searches of another workspace are empty', async () => {
  const page = '{ totalCount nodes { id } pageInfo { hasNextPage endCursor } }';
  const { threads, assistants, runs, found } = await newcomer.data(
    `{ threads(filter: { archived: null }) ${page} assistants ${page} runs ${page} found: threads(filter: { search: "look_up" }) ${page} }`,
  );
  for (const list of [threads, assistants, runs, found]) {
    expect(list).toEqual({ totalCount: 0, nodes: [], pageInfo: { hasNextPage: false, endCursor: null } });
  }
});

test('a statement that does not stay in its workspace never reaches the database', async () => {
  const bound = bindToWorkspace(app.app.services.database, 'ws_mine');
  const other = { workspaceId: 'ws_other', id: 'thread_1' };
  const statements = [
    () => bound.thread.findUnique({ where: { workspaceId_id: other } }),
    () => bound.thread.findMany({ where: { workspaceId: 'ws_other' } }),
    () => bound.thread.update({ where: { workspaceId_id: other }, data: { title: 'x' } }),
    () => bound.thread.delete({ where: { workspaceId_id: other } }),
    () => bound.thread.create({ data: other }),
    () => bound.thread.createMany({ data: [other] }),
    () => bound.workspace.findUnique({ where: { id: 'ws_other' } }),
    () => bound.workspace.create({ data: { id: 'ws_other', name: 'x' } }),
  ];
  for (const statement of statements) await expect(statement()).rejects.toBeInstanceOf(UnscopedQueryError);
  expect(await bound.thread.findMany()).toEqual([]);
  expect(await bound.thread.count({ where: { id: ids.thread } })).toBe(0);
});

test('a row that points across a wall cannot be written', async () => {
  const { database } = app.app.services;
  const mine = await database.workspace.findFirstOrThrow({ where: { isDefault: false } });
  const across = database.message.create({
    data: {
      workspaceId: mine.id,
      id: 'msg_across',
      threadId: ids.thread as string,
      role: 'USER',
      position: 1,
      completedAt: new Date(),
    },
  });
  await expect(across).rejects.toMatchObject({ code: 'P2003' });
});
