import type { ServerResponse } from 'node:http';
import type { Availability } from '../../db/availability.ts';
import { UnavailableError } from '../../domain/error.ts';
import { requestError } from '../session/request-error.ts';

/** How soon a client reconnects to an event stream that an outage has ended, in milliseconds. */
const reconnectMs = 2000;

/**
 * Ends an open event stream when the database has been away for long, without the event `complete`: the client reconnects, to
 * another process if there is one, and resumes with its cursor. `isShared`: the stream carries several operations, so that it
 * cannot say of one that it failed.
 */
export function endInOutage(response: ServerResponse, availability: Availability, isShared: boolean): void {
  const remove = availability.onLongOutage(() => {
    const isStream = String(response.getHeader('content-type')).startsWith('text/event-stream');
    if (!response.headersSent || !isStream) return;
    // Operations may still write to the stream: an error without a listener would end the process.
    response.on('error', () => {});
    const result = JSON.stringify({ errors: [requestError(new UnavailableError())] });
    const event = isShared ? '' : `event: next\ndata: ${result}\n\n`;
    response.end(`retry: ${reconnectMs}\n\n${event}`);
  });
  response.once('close', remove);
}
