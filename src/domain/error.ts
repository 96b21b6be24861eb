import type { Run, Scope } from '../db/generated/client.ts';

/** A refusal that callers expect: it becomes a member of a result union, or a coded top-level error. */
export abstract class DomainError extends Error {
  /** The stable word that a program tells refusals apart by. */
  abstract readonly code: string;
}

/** Nothing with that id is visible to the actor; a foreign id and one that never was answer alike. */
export class NotFoundError extends DomainError {
  readonly code = 'NOT_FOUND';
  readonly id: string;
  constructor(id: string) {
    super(`Nothing with the id ${JSON.stringify(id.slice(0, 100))} is here.`);
    this.id = id;
  }
}

/** One thing that is wrong with an input. */
export interface InputIssue {
  /** Field names and list indexes from the input inwards. */
  path: string[];
  message: string;
}

/** The input breaks a rule; `issues` say which and what to change. */
export class InvalidInputError extends DomainError {
  readonly code = 'INVALID_INPUT';
  readonly issues: InputIssue[];
  constructor(issues: InputIssue[]) {
    super(issues.map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message)).join(' '));
    this.issues = issues;
  }
  /** For a single issue at a dotted path. */
  static at(path: string, message: string): InvalidInputError {
    return new InvalidInputError([{ path: path.split('.'), message }]);
  }
}

/** Why a credential is not good, for a program to tell what to do about it. */
export type CredentialFault =
  | 'MISSING'
  | 'UNKNOWN'
  | 'MISTYPED'
  | 'EXPIRED'
  | 'REVOKED'
  | 'ROTATED'
  | 'RIGHTS_CHANGED'
  | 'WORKSPACE_GONE';

/** A request without a credential, or with one that is not, or no longer, good. */
export class CredentialError extends DomainError {
  readonly code = 'UNAUTHENTICATED';
  readonly reason: CredentialFault;
  constructor(reason: CredentialFault, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Too much at a time; less, or later, is welcome. */
export class RateLimitedError extends DomainError {
  readonly code = 'RATE_LIMITED';
}

/** What is asked for clashes with what is there. */
export class ConflictError extends DomainError {
  readonly code = 'CONFLICT';
}

/** The actor may not do this. */
export class ForbiddenError extends DomainError {
  readonly code = 'FORBIDDEN';
  readonly requiredScope: Scope | null;
  constructor(requiredScope: Scope | null, message = `This needs the scope ${requiredScope}.`) {
    super(message);
    this.requiredScope = requiredScope;
  }
}

/** Another run holds the thread. */
export class ThreadBusyError extends DomainError {
  readonly code = 'THREAD_BUSY';
  readonly activeRun: Run;
  constructor(activeRun: Run) {
    super(
      `The run ${activeRun.id} holds the thread. Wait for it, cancel it, or use whenBusy: ENQUEUE or CANCEL_ACTIVE.`,
    );
    this.activeRun = activeRun;
  }
}

/** Tool outputs were sent to a run that wants none. */
export class RunNotWaitingError extends DomainError {
  readonly code = 'RUN_NOT_WAITING';
  readonly run: Run;
  constructor(run: Run) {
    super(`The run is ${run.status}: it takes tool outputs only while it is REQUIRES_ACTION.`);
    this.run = run;
  }
}

/** The run had not ended in the time given. */
export class WaitTimeoutError extends DomainError {
  readonly code = 'WAIT_TIMEOUT';
  readonly run: Run;
  constructor(run: Run, timeoutSeconds: number) {
    super(`The run is still ${run.status} after ${timeoutSeconds} s. Ask again, or follow runEvents.`);
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

/** A limit is used up; `retryAfterSeconds` null: waiting does not help. */
export class QuotaExceededError extends DomainError {
  readonly code = 'QUOTA_EXCEEDED';
  readonly retryAfterSeconds: number | null;
  constructor(message: string, retryAfterSeconds: number | null) {
    super(message);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Why a run, a step or a call failed, in words fit for its user: no secret, no stack. */
export interface RunFault {
  code: string;
  message: string;
  /** Whether the same run may well succeed when it is tried again. */
  retryable: boolean;
}
