import { Prisma } from '../../db/generated/client.ts';
import { requireScope } from '../../domain/access/access.ts';
import { inRunsVisibleTo, unlessKey } from '../../domain/access/scope.ts';
import { usageOf } from '../../domain/run/usage.ts';
import { isId } from '../../id.ts';
import { builder } from '../builder.ts';
import { contentOf, plainColumns, showing } from '../contents.ts';
import { hideDeleted } from '../hide-deleted.ts';
import { listOf } from '../list-of.ts';
import { orderingsOf } from '../list-order.ts';
import { growingText } from '../text-loader.ts';
import { Run } from './run.ts';
import { errorOf, RunError } from './run-error.ts';
import { StepStatus, StepType } from './step-status.ts';
import { callColumns, FunctionToolCall, ToolCall } from './tool-call.ts';
import { UsageType } from './usage.ts';

const callsInOrder = { orderBy: { index: 'asc' }, select: callColumns } as const;

/** A stage of a run. */
export const Step = builder.prismaNode('Step', {
  nullable: true,
  select: plainColumns('Step', Prisma.StepScalarFieldEnum),
  description:
    'A stage of a run: one response of the model, which is either a message or a set of tool calls with their outputs.',
  id: { resolve: ({ id }) => id, description: 'Step id: `step_` and a UUIDv7 (TypeID).' },
  findUnique: (id, ctx) => {
    requireScope(ctx, 'RUNS_READ');
    return {
      workspaceId_id: { workspaceId: ctx.workspaceId, id },
      ...unlessKey(ctx.actor, inRunsVisibleTo(ctx.actor)),
    };
  },
  fields: (t) => ({
    run: t.relation('run', { description: 'The run that the step belongs to.' }),
    index: t.exposeInt('index', { description: 'Position of the step in its run: 0, 1, 2 …' }),
    type: t.expose('type', { type: StepType, description: 'Whether the step writes a message or calls tools.' }),
    status: t.expose('status', { type: StepStatus, description: 'Whether the step is in progress, or how it ended.' }),
    message: t.relation('message', {
      nullable: true,
      description:
        'The message that the step writes. Null for TOOL_CALLS, if the message was deleted, or if the step ended before its first word.',
    }),
    toolCalls: t.field({
      type: [ToolCall],
      description: 'The tool calls of the step, in the order in which the model made them. Empty for MESSAGE_CREATION.',
      select: { toolCalls: callsInOrder },
      resolve: ({ toolCalls }) => toolCalls,
    }),
    reasoning: t.string({
      nullable: true,
      description:
        "The model's reasoning before its answer. While the step is in progress: the text so far. Null if the model exposes none, or if the workspace's `recordSteps` is not FULL and the run has ended.",
      ...showing('Step', 'reasoning'),
      resolve: async (step, _args, ctx) => {
        const growing = { ownerId: step.id, channel: 'REASONING' as const };
        const isOpen = step.status === 'IN_PROGRESS';
        const text = isOpen ? await growingText(ctx, growing) : await contentOf(ctx, 'Step', step, 'reasoning');
        return text || null;
      },
    }),
    lastError: t.field({
      type: RunError,
      nullable: true,
      description: 'Why the step failed. Null unless it is FAILED.',
      resolve: errorOf,
    }),
    usage: t.field({
      type: UsageType,
      nullable: true,
      description:
        "Tokens used by the step's model response. Null until it is complete, or if the provider does not report them.",
      resolve: usageOf,
    }),
    cost: t.expose('cost', {
      type: 'Decimal',
      nullable: true,
      description: 'Cost of `usage` in US dollars. Null if the usage or the price of the model is unknown.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the step was created.' }),
    startedAt: t.expose('startedAt', { type: 'DateTime', nullable: true, description: 'When the step started.' }),
    firstTokenAt: t.expose('startedAt', {
      type: 'DateTime',
      nullable: true,
      description: "When the first part of the model's response arrived: a step starts with it.",
    }),
    endedAt: t.expose('endedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the step ended. Null while it is in progress.',
    }),
    durationMs: t.int({
      nullable: true,
      description:
        'Time from start to end, in milliseconds, including the wait for tool outputs. Null while the step is in progress.',
      resolve: ({ startedAt, endedAt }) => (startedAt && endedAt ? endedAt.getTime() - startedAt.getTime() : null),
    }),
  }),
});
hideDeleted(Step, 'Step');

const byIndex = orderingsOf({
  list: 'steps',
  typeName: 'Step',
  fields: {
    INDEX: { name: 'index', type: 'number', isUnique: true, description: 'The position of the step in its run.' },
  },
  field: 'INDEX',
  direction: null,
});

const steps = listOf(Step, {
  model: 'step',
  noun: 'step',
  order: byIndex('ASC'),
  where: () => ({}),
});

builder.queryField('step', (t) =>
  t.prismaField({
    type: Step,
    nullable: true,
    description: 'Returns a step. Null if no visible step has this id.',
    args: { id: t.arg.id({ required: true, description: 'The id of the step.' }) },
    resolve: (query, _root, { id }, ctx) => {
      requireScope(ctx, 'RUNS_READ');
      return isId('Step', id)
        ? ctx.db.step.findFirst({ ...query, where: { id, ...inRunsVisibleTo(ctx.actor) } })
        : null;
    },
  }),
);

const RequiredAction = builder
  .objectRef<{ toolCalls: Array<typeof FunctionToolCall.$inferType> }>('RequiredAction')
  .implement({
    description: 'The function calls that a run in REQUIRES_ACTION waits for.',
    fields: (t) => ({
      toolCalls: t.field({
        type: [FunctionToolCall],
        description: 'The calls to execute. Send the outputs of all of them in one submitToolOutputs.',
        resolve: ({ toolCalls }) => toolCalls,
      }),
    }),
  });

builder.prismaObjectField(Run, 'requiredAction', (t) =>
  t.field({
    type: RequiredAction,
    nullable: true,
    description:
      'The function calls that the run waits for, until `expiresAt`. Null unless the status is REQUIRES_ACTION.',
    select: {
      status: true,
      steps: { where: { status: 'IN_PROGRESS' }, select: { toolCalls: callsInOrder } },
    },
    resolve: ({ status, steps }) => {
      const waiting = steps.flatMap(({ toolCalls }) => toolCalls).filter((call) => call.status === 'IN_PROGRESS');
      return status === 'REQUIRES_ACTION' ? { toolCalls: waiting } : null;
    },
  }),
);
builder.prismaObjectField(
  Run,
  'steps',
  steps.child({ description: 'The steps of the run, by `index`.', relation: 'steps', parentColumn: 'runId' }),
);
