import type { ExecutionResult } from 'graphql';

/**
 * The result of an event with the id of its server-sent event, which is the cursor: a client that reconnects sends it in the
 * header `Last-Event-ID`.
 */
export const withEventId = (result: ExecutionResult, cursor: string): ExecutionResult => ({
  ...result,
  // Yoga writes the text after `data: ` and ends the event with an empty line.
  ...{ stringify: (value: ExecutionResult) => `${JSON.stringify(value)}\nid: ${cursor}` },
});

/** Where a request resumes an event stream. */
export function resumeOf(request: { headers: { get(name: string): string | null } }): { resumeAfter?: string } {
  const isEventStream = request.headers.get('accept')?.includes('text/event-stream');
  const cursor = isEventStream ? request.headers.get('last-event-id') : null;
  return cursor ? { resumeAfter: cursor } : {};
}
