import { type AnyEvent, shape } from './client.ts';

/**
 * Everything that events tell, so that two ways of following can be compared with each other and with what is there: the texts
 * joined, by what they belong to, and the rest as it is.
 */
export function told(events: AnyEvent[]): { texts: Record<string, string>; shape: string[] } {
  const texts: Record<string, string> = {};
  const add = (id: string, text: string | null | undefined) => {
    if (text) texts[id] = (texts[id] ?? '') + text;
  };
  for (const { __typename, messageId, reasoningStepId, text, reasoning, toolCall } of events) {
    if (__typename === 'MessageDelta') add(messageId, text);
    if (__typename === 'ReasoningDelta') add(`${reasoningStepId} reasoning`, reasoning);
    if (__typename === 'StepDelta') {
      add(`${toolCall.id} arguments`, toolCall.arguments);
      add(`${toolCall.id} output`, toolCall.output);
    }
  }
  return { texts, shape: shape(events).filter((name) => !name.endsWith('Delta')) };
}
