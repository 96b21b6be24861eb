import type { PartyTurns } from '../../async/fair-turns.ts';
import type { GraphContext } from '../../graphql/context.ts';
import type { Session } from '../session/session.ts';
import type { Answer } from './answer.ts';

/** An operation that the transport has read from the body of a request. */
export interface ParsedOperation {
  query: string;
  variables?: Record<string, unknown>;
  operationName?: string;
}

/** What the transport passes to yoga with a request. */
export interface Transport {
  /** The context of an operation of an authenticated socket or event stream. */
  socket?: GraphContext;
  /** The origin at which the client reaches the server; null: the server's own address. */
  origin?: string | null;
  /** Aborts when the client of an HTTP request disconnects. */
  disconnected?: AbortSignal;
  /** The memory of the answer. The transport releases it when it has sent the answer. */
  answer?: Answer;
  /** The operation of a multipart request. */
  operation?: ParsedOperation;
  /** The session of the request's credential, which has just been opened. */
  session?: Session | null;
  /** The error of a credential that has been refused: there is no need to look it up again. */
  credentialError?: unknown;
  /** Whether the request has no accepted credential. */
  isStranger?: boolean;
  /** When the document of the request may be parsed and validated. */
  turns?: PartyTurns;
}
