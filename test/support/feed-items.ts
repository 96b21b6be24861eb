import { type AnyEvent, shape } from './client.ts';

/**
 * The content of events in a comparable form, to compare two subscriptions with each other and with the database:
 * `texts` has the joined deltas by owner, `shape` the names of all other events.
 */
export function feedItems(events: AnyEvent[]): { texts: Record<string, string>; shape: string[] } {
  const texts: Record<string, string> = {};
  const add = (id: string, text: string | null | undefined) => {
    if (text) texts[id] = (texts[id] ?? '') + text;
  };
  for (const { __typename, messageId, stepId, text, toolCall } of events) {
    if (__typename === 'MessageDelta') add(messageId, text);
    if (__typename === 'ReasoningDelta') add(`${stepId} reasoning`, text);
    if (__typename === 'StepDelta') {
      add(`${toolCall.id} arguments`, toolCall.arguments);
      add(`${toolCall.id} output`, toolCall.output);
    }
  }
  return { texts, shape: shape(events).filter((name) => !name.endsWith('Delta')) };
}
