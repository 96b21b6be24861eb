import { requireScope } from '../../domain/access/access.ts';
import { inRunsVisibleTo } from '../../domain/access/scope.ts';
import { usageOf } from '../../domain/run/usage.ts';
import { isId } from '../../id.ts';
import { builder } from '../builder.ts';
import { childList } from '../list.ts';
import { growingTexts } from '../text-loader.ts';
import { OrderDirection } from './order-direction.ts';
import { Run } from './run.ts';
import { errorOf, RunError } from './run-error.ts';
import { StepStatus, StepType } from './step-status.ts';
import { FunctionToolCall, ToolCall } from './tool-call.ts';
import { UsageType } from './usage.ts';

/** One stage of a run. */
export const Step = builder.prismaNode('Step', {
  nullable: true,
  description: 'One stage of a run: a message written, or tool calls made.',
  id: { resolve: ({ id }) => id, description: 'The id.' },
  findUnique: (id, ctx) => {
    requireScope(ctx, 'RUNS_READ');
    return { workspaceId_id: { workspaceId: ctx.workspaceId, id }, ...inRunsVisibleTo(ctx.actor) };
  },
  fields: (t) => ({
    run: t.relation('run', { description: 'Its run.' }),
    index: t.exposeInt('index', { description: '0, 1, 2 … within the run.' }),
    type: t.expose('type', { type: StepType, description: 'What it is.' }),
    status: t.expose('status', { type: StepStatus, description: 'Where it stands.' }),
    message: t.relation('message', {
      nullable: true,
      description: 'The message that it writes, for MESSAGE_CREATION.',
    }),
    toolCalls: t.field({
      type: [ToolCall],
      description: 'The calls that it makes, for TOOL_CALLS; else empty.',
      select: { toolCalls: { orderBy: { index: 'asc' } } },
      resolve: ({ toolCalls }) => toolCalls,
    }),
    reasoning: t.string({
      nullable: true,
      description:
        'What the model thought before it answered, while it thinks as far as it has come; null: nothing that it told, or that is recorded.',
      select: { id: true, status: true, reasoning: true },
      resolve: async ({ id, status, reasoning }, _args, ctx) => {
        const isOpen = status === 'IN_PROGRESS';
        const text = isOpen ? await ctx.load(growingTexts, { ownerId: id, channel: 'REASONING' as const }) : reasoning;
        return text || null;
      },
    }),
    lastError: t.field({
      type: RunError,
      nullable: true,
      description: 'What went wrong; null: nothing.',
      resolve: errorOf,
    }),
    usage: t.field({
      type: UsageType,
      nullable: true,
      description: 'What its answer of the model used; null: not known.',
      resolve: usageOf,
    }),
    cost: t.expose('cost', {
      type: 'Decimal',
      nullable: true,
      description: 'What that cost in US dollars; null: not known, or the model has no price.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was begun.' }),
    startedAt: t.expose('startedAt', { type: 'DateTime', nullable: true, description: 'When it was begun.' }),
    endedAt: t.expose('endedAt', { type: 'DateTime', nullable: true, description: 'When it ended; null: it has not.' }),
    durationMs: t.int({
      nullable: true,
      description: 'How long it took; null: it has not ended.',
      resolve: ({ startedAt, endedAt }) => (startedAt && endedAt ? endedAt.getTime() - startedAt.getTime() : null),
    }),
  }),
});

const StepEdge = builder.edgeObject({ type: Step, name: 'StepEdge', description: 'One step in a list.' });
const StepConnection = builder.connectionObject(
  { type: Step, name: 'StepConnection', description: 'A page of steps.' },
  StepEdge,
);

builder.queryField('step', (t) =>
  t.prismaField({
    type: Step,
    nullable: true,
    description: 'A step; null when there is none with this id for you.',
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
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
    description: 'What a run waits for.',
    fields: (t) => ({
      toolCalls: t.field({
        type: [FunctionToolCall],
        description: 'The calls whose outputs it wants, all at once, by submitToolOutputs.',
        resolve: ({ toolCalls }) => toolCalls,
      }),
    }),
  });

builder.prismaObjectFields(Run, (t) => ({
  requiredAction: t.field({
    type: RequiredAction,
    nullable: true,
    description: 'What it waits for; null unless it is REQUIRES_ACTION.',
    select: {
      status: true,
      steps: { where: { status: 'IN_PROGRESS' }, select: { toolCalls: { orderBy: { index: 'asc' } } } },
    },
    resolve: ({ status, steps }) => {
      const waiting = steps.flatMap(({ toolCalls }) => toolCalls).filter((call) => call.status === 'IN_PROGRESS');
      return status === 'REQUIRES_ACTION' ? { toolCalls: waiting } : null;
    },
  }),
  steps: t.connection(
    {
      type: Step,
      description: 'Its steps.',
      args: { order: t.arg({ type: OrderDirection, defaultValue: 'ASC', description: 'ASC: the first one first.' }) },
      ...childList({
        relation: 'steps',
        model: 'step',
        typeName: 'Step',
        parentColumn: 'runId',
        order: ({ order }) => ({
          list: 'steps',
          direction: order ?? 'ASC',
          columns: [{ name: 'index', type: 'number' }],
        }),
        where: () => ({}),
      }),
    },
    StepConnection,
    StepEdge,
  ),
}));
