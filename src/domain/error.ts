import type { Run, RunOverride, Scope } from '../db/generated/client.ts';

/** An expected refusal. It becomes a member of a result union, or a top-level error with a code. */
export abstract class DomainError extends Error {
  /** The stable value by which clients distinguish refusals. */
  abstract readonly code: string;
}

/**
 * No row with the ID is visible to the actor. An ID of another workspace and one that never existed give the same
 * error.
 */
export class NotFoundError extends DomainError {
  readonly code = 'NOT_FOUND';
  readonly id: string;
  constructor(id: string) {
    super(`Nothing with the ID ${JSON.stringify(id.slice(0, 100))} was found.`);
    this.id = id;
  }
}

/** One violation in an input. */
export interface InputIssue {
  /** Field names and list indexes, from the root of the input. */
  path: string[];
  message: string;
}

/** The input is invalid; each issue states what to change. */
export class InvalidInputError extends DomainError {
  readonly code = 'INVALID_INPUT';
  readonly issues: InputIssue[];
  constructor(issues: InputIssue[]) {
    super(issues.map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message)).join(' '));
    this.issues = issues;
  }
  /** The error for a single issue at a dotted path. */
  static at(path: string, message: string): InvalidInputError {
    return new InvalidInputError([{ path: path.split('.'), message }]);
  }
}

/** The reason why a credential was refused, for clients. */
export type CredentialFault =
  | 'MISSING'
  | 'UNKNOWN'
  | 'MISTYPED'
  | 'EXPIRED'
  | 'REVOKED'
  | 'ROTATED'
  | 'RIGHTS_CHANGED'
  | 'WORKSPACE_GONE';

/** The request has no credential, or one that is not valid, or not valid any more. */
export class CredentialError extends DomainError {
  readonly code = 'UNAUTHENTICATED';
  readonly reason: CredentialFault;
  constructor(reason: CredentialFault, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** The client sends too much at a time. It can retry later. */
export class RateLimitedError extends DomainError {
  readonly code = 'RATE_LIMITED';
}

/** A part of the server that the request needs, such as the database, does not answer now. The client can retry soon. */
export class UnavailableError extends DomainError {
  readonly code = 'UNAVAILABLE';
  constructor(message = 'The server cannot reach its database now. Retry in a few seconds.') {
    super(message);
  }
}

/** The request conflicts with the current state. */
export class ConflictError extends DomainError {
  readonly code = 'CONFLICT';
}

/** The actor lacks a permission. */
export class ForbiddenError extends DomainError {
  readonly code = 'FORBIDDEN';
  readonly requiredScope: Scope | null;
  /** The override that an end user lacks; null: the reason is another one. */
  readonly requiredOverride: RunOverride | null;
  constructor(
    requiredScope: Scope | null,
    message = `The scope ${requiredScope} is required.`,
    requiredOverride: RunOverride | null = null,
  ) {
    super(message);
    this.requiredScope = requiredScope;
    this.requiredOverride = requiredOverride;
  }
}

/** The thread has an unfinished run, and the input says `whenBusy: REJECT`. */
export class ThreadBusyError extends DomainError {
  readonly code = 'THREAD_BUSY';
  readonly activeRun: Run;
  constructor(activeRun: Run) {
    super(
      `The thread is busy with the run ${activeRun.id}. Wait for it, cancel it, or use whenBusy: ENQUEUE or CANCEL_ACTIVE.`,
    );
    this.activeRun = activeRun;
  }
}

/** Tool outputs were sent to a run that is not waiting for any. */
export class RunNotWaitingError extends DomainError {
  readonly code = 'RUN_NOT_WAITING';
  readonly run: Run;
  constructor(run: Run) {
    super(`The run is ${run.status}. Tool outputs are accepted only in REQUIRES_ACTION.`);
    this.run = run;
  }
}

/** The run did not come to rest within the timeout. */
export class WaitTimeoutError extends DomainError {
  readonly code = 'WAIT_TIMEOUT';
  readonly run: Run;
  constructor(run: Run, timeoutSeconds: number) {
    super(`The run is still ${run.status} after ${timeoutSeconds} s. Wait again, or subscribe to runEvents.`);
    this.run = run;
  }
}

/** A content check refused the input. */
export class ContentRejectedError extends DomainError {
  readonly code = 'CONTENT_REJECTED';
  readonly categories: string[];
  constructor(categories: string[]) {
    super(`The content was rejected: ${categories.join(', ')}.`);
    this.categories = categories;
  }
}

/** A quota is exhausted. */
export class QuotaExceededError extends DomainError {
  readonly code = 'QUOTA_EXCEEDED';
  /** null: waiting does not help. */
  readonly retryAfterSeconds: number | null;
  constructor(message: string, retryAfterSeconds: number | null) {
    super(message);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** A disk of the server is full. A retry can succeed when the operator has made room. */
export class NoRoomError extends DomainError {
  readonly code = 'UNAVAILABLE';
  readonly retryAfterSeconds = 60;
  constructor(message = 'There is no room for files on the server. Try again later.') {
    super(message);
  }
}

/** Why a run, a step or a tool call failed. The message is safe to show to end users: no secrets, no stack traces. */
export interface RunFault {
  code: string;
  message: string;
  /** Whether the same run is likely to succeed on a retry. */
  retryable: boolean;
}
