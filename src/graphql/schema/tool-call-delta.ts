import type { ToolKind } from '../../db/generated/client.ts';
import type { FeedItem } from '../../domain/follow/follower.ts';
import { builder } from '../builder.ts';
import { ToolCallKind } from './tool-call-kind.ts';

/** The ids in a feed item: those of its event, or of the event that opened its growing text. */
export const idsOf = (item: FeedItem) => (item.kind === 'event' ? item.event : item.opener);

interface CallDelta {
  index: number;
  id: string;
  kind: ToolKind;
  name: string | null;
  arguments: string | null;
  output: string | null;
}

/** What a StepDelta adds to a tool call. */
export const ToolCallDelta = builder.objectRef<CallDelta>('ToolCallDelta').implement({
  description:
    'What is new in a tool call. The first one of a call announces it: `arguments` and `output` are null. Each later one has a delta of either text to append.',
  fields: (t) => ({
    index: t.exposeInt('index', { description: 'Position of the call in its step: 0, 1, 2 …' }),
    id: t.exposeID('id', { nullable: true, description: 'Id of the tool call, as in `ToolCall.id`.' }),
    kind: t.expose('kind', { type: ToolCallKind, description: 'The kind of the tool.' }),
    name: t.exposeString('name', {
      nullable: true,
      description: 'The name by which the model called the tool: of a function, of a plugin operation, or the kind.',
    }),
    arguments: t.exposeString('arguments', {
      nullable: true,
      description: 'Delta of the arguments (JSON text as the model writes it) to append. Null: no new arguments.',
    }),
    output: t.exposeString('output', {
      nullable: true,
      description: 'Delta of the output to append. Null: no new output.',
    }),
  }),
});

/** The delta in a feed item: of the call that it opens, or of the text that it extends. */
export function callDelta(item: FeedItem): CallDelta {
  const { toolCallId, value } = idsOf(item);
  const { kind, ...call } = JSON.parse(value ?? '{}') as { index: number; kind: string; name: string };
  const delta = item.kind === 'delta' ? { [item.channel === 'OUTPUT' ? 'output' : 'arguments']: item.text } : {};
  return {
    arguments: null,
    output: null,
    ...call,
    kind: kind.toUpperCase() as ToolKind,
    id: toolCallId ?? '',
    ...delta,
  };
}
