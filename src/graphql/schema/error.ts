import { GraphQLError } from 'graphql';
import {
  ConflictError,
  ContentRejectedError,
  CredentialError,
  type DomainError,
  ForbiddenError,
  type InputIssue,
  InvalidInputError,
  NoRoomError,
  NotFoundError,
  QuotaExceededError,
  RunNotWaitingError,
  ThreadBusyError,
  WaitTimeoutError,
} from '../../domain/error.ts';
import { builder } from '../builder.ts';
import { Run } from './run.ts';
import { RunOverrideEnum } from './run-override.ts';
import { ScopeEnum } from './scope.ts';

/** The fields of every expected error. */
const ErrorInterface = builder.interfaceRef<Error & { code: string }>('Error').implement({
  description:
    'An expected error: a member of result unions. Unexpected errors are in `errors` of the response instead.',
  fields: (t) => ({
    message: t.exposeString('message', { description: 'What is wrong and what to change, for people.' }),
    code: t.exposeString('code', { description: 'A stable code for programs, such as NOT_FOUND.' }),
  }),
});

const InputIssueType = builder.objectRef<InputIssue>('InputIssue').implement({
  description: 'One problem of an input.',
  fields: (t) => ({
    path: t.exposeStringList('path', {
      description:
        'The path to the problem: field names and list indexes, from the input inwards. Empty: the whole input.',
    }),
    message: t.exposeString('message', { description: 'What is wrong and what to change, for people.' }),
  }),
});

builder.objectType(NotFoundError, {
  name: 'NotFoundError',
  interfaces: [ErrorInterface],
  description: 'No object with this id exists, or you may not see it. Code: NOT_FOUND.',
  fields: (t) => ({ id: t.exposeID('id', { description: 'The id in the request.' }) }),
});

builder.objectType(InvalidInputError, {
  name: 'InvalidInputError',
  interfaces: [ErrorInterface],
  description: 'The input breaks a rule, and nothing was changed. Code: INVALID_INPUT.',
  fields: (t) => ({
    issues: t.field({
      type: [InputIssueType],
      description: 'All problems of the input.',
      resolve: ({ issues }) => issues,
    }),
  }),
});

builder.objectType(ConflictError, {
  name: 'ConflictError',
  interfaces: [ErrorInterface],
  description: 'The mutation conflicts with the current state, as `message` explains. Code: CONFLICT.',
});

builder.objectType(ForbiddenError, {
  name: 'ForbiddenError',
  interfaces: [ErrorInterface],
  description: 'Your credential does not allow this. Code: FORBIDDEN.',
  fields: (t) => ({
    requiredScope: t.field({
      type: ScopeEnum,
      nullable: true,
      description: 'The scope that the credential lacks. Null: the reason is not a scope.',
      resolve: ({ requiredScope }) => requiredScope,
    }),
    requiredOverride: t.field({
      type: RunOverrideEnum,
      nullable: true,
      description:
        'The override that an end user lacks; `message` says how the operator opens it. Null: the reason is not an override.',
      resolve: ({ requiredOverride }) => requiredOverride,
    }),
  }),
});

builder.objectType(ThreadBusyError, {
  name: 'ThreadBusyError',
  interfaces: [ErrorInterface],
  description: 'An unfinished run occupies the thread, and `whenBusy` is REJECT. Code: THREAD_BUSY.',
  fields: (t) => ({
    activeRun: t.field({
      type: Run,
      description: 'The run that occupies the thread.',
      resolve: ({ activeRun }) => activeRun,
    }),
  }),
});

builder.objectType(RunNotWaitingError, {
  name: 'RunNotWaitingError',
  interfaces: [ErrorInterface],
  description: 'The run does not wait for tool outputs. Code: RUN_NOT_WAITING.',
  fields: (t) => ({
    run: t.field({ type: Run, description: 'The current state of the run.', resolve: ({ run }) => run }),
  }),
});

builder.objectType(WaitTimeoutError, {
  name: 'WaitTimeoutError',
  interfaces: [ErrorInterface],
  description: 'The run neither ended nor required action within the timeout. Code: WAIT_TIMEOUT.',
  fields: (t) => ({
    run: t.field({ type: Run, description: 'The current state of the run.', resolve: ({ run }) => run }),
  }),
});

builder.objectType(ContentRejectedError, {
  name: 'ContentRejectedError',
  interfaces: [ErrorInterface],
  description: 'A content check rejected the input. Code: CONTENT_REJECTED.',
  fields: (t) => ({
    categories: t.exposeStringList('categories', { description: 'The categories of the rejected content.' }),
  }),
});

builder.objectType(QuotaExceededError, {
  name: 'QuotaExceededError',
  interfaces: [ErrorInterface],
  description: 'A limit of the workspace, the end user or the server is reached. Code: QUOTA_EXCEEDED.',
  fields: (t) => ({
    retryAfterSeconds: t.int({
      nullable: true,
      description: 'The time after which a retry can succeed, in seconds. Null: waiting does not help.',
      resolve: ({ retryAfterSeconds }) => retryAfterSeconds,
    }),
  }),
});

/** Converts an expected error outside a result union to a top-level error with its code. */
export function codedError(error: DomainError): GraphQLError {
  const codes: Record<string, string> = {
    INVALID_INPUT: 'BAD_USER_INPUT',
    NOT_FOUND: 'NOT_FOUND',
    FORBIDDEN: 'FORBIDDEN',
  };
  const issues = error instanceof InvalidInputError ? { issues: error.issues } : {};
  const reason = error instanceof CredentialError ? { reason: error.reason } : {};
  const missing =
    error instanceof ForbiddenError
      ? { requiredScope: error.requiredScope, requiredOverride: error.requiredOverride }
      : {};
  const retry = error instanceof NoRoomError ? { retryAfterSeconds: error.retryAfterSeconds } : {};
  const extensions = { code: codes[error.code] ?? error.code, ...issues, ...reason, ...missing, ...retry };
  return new GraphQLError(error.message, { extensions });
}
