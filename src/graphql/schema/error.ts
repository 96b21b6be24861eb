import { GraphQLError } from 'graphql';
import {
  ConflictError,
  ContentRejectedError,
  CredentialError,
  type DomainError,
  ForbiddenError,
  type InputIssue,
  InvalidInputError,
  NotFoundError,
  QuotaExceededError,
  RunNotWaitingError,
  ThreadBusyError,
  WaitTimeoutError,
} from '../../domain/error.ts';
import { builder } from '../builder.ts';
import { Run } from './run.ts';

/** What every refusal tells. */
const ErrorInterface = builder.interfaceRef<Error & { code: string }>('Error').implement({
  description: 'A refusal that a client can expect: a member of a result union.',
  fields: (t) => ({
    message: t.exposeString('message', { description: 'What is wrong and what to change, for a person.' }),
    code: t.exposeString('code', { description: 'The stable word that a program tells refusals apart by.' }),
  }),
});

const InputIssueType = builder.objectRef<InputIssue>('InputIssue').implement({
  description: 'One thing that is wrong with an input.',
  fields: (t) => ({
    path: t.exposeStringList('path', { description: 'Field names and list indexes from the input inwards.' }),
    message: t.exposeString('message', { description: 'What to change.' }),
  }),
});

builder.objectType(NotFoundError, {
  name: 'NotFoundError',
  interfaces: [ErrorInterface],
  description: 'Nothing with this id is here for you.',
  fields: (t) => ({ id: t.exposeID('id', { description: 'The id that was asked for.' }) }),
});

builder.objectType(InvalidInputError, {
  name: 'InvalidInputError',
  interfaces: [ErrorInterface],
  description: 'The input breaks a rule; nothing has been changed.',
  fields: (t) => ({
    issues: t.field({ type: [InputIssueType], description: 'All that is wrong.', resolve: ({ issues }) => issues }),
  }),
});

builder.objectType(ConflictError, {
  name: 'ConflictError',
  interfaces: [ErrorInterface],
  description: 'What is asked for clashes with what is there.',
});

builder.objectType(ForbiddenError, {
  name: 'ForbiddenError',
  interfaces: [ErrorInterface],
  description: 'Your credential does not allow this.',
  fields: (t) => ({
    requiredScope: t.string({
      nullable: true,
      description: 'The scope that it would need; null where no scope would help.',
      resolve: ({ requiredScope }) => requiredScope,
    }),
  }),
});

builder.objectType(ThreadBusyError, {
  name: 'ThreadBusyError',
  interfaces: [ErrorInterface],
  description: 'Another run holds the thread.',
  fields: (t) => ({
    activeRun: t.field({ type: Run, description: 'The run that holds it.', resolve: ({ activeRun }) => activeRun }),
  }),
});

builder.objectType(RunNotWaitingError, {
  name: 'RunNotWaitingError',
  interfaces: [ErrorInterface],
  description: 'Tool outputs were sent to a run that wants none.',
  fields: (t) => ({ run: t.field({ type: Run, description: 'The run as it is.', resolve: ({ run }) => run }) }),
});

builder.objectType(WaitTimeoutError, {
  name: 'WaitTimeoutError',
  interfaces: [ErrorInterface],
  description: 'The run had not come to rest in the time given.',
  fields: (t) => ({ run: t.field({ type: Run, description: 'The run as it is.', resolve: ({ run }) => run }) }),
});

builder.objectType(ContentRejectedError, {
  name: 'ContentRejectedError',
  interfaces: [ErrorInterface],
  description: 'A content check refused the input.',
  fields: (t) => ({
    categories: t.exposeStringList('categories', { description: 'What the check objected to.' }),
  }),
});

builder.objectType(QuotaExceededError, {
  name: 'QuotaExceededError',
  interfaces: [ErrorInterface],
  description: 'A limit of the workspace or the server is used up.',
  fields: (t) => ({
    retryAfterSeconds: t.int({
      nullable: true,
      description: 'When it is worth trying again, in seconds; null where waiting does not help.',
      resolve: ({ retryAfterSeconds }) => retryAfterSeconds,
    }),
  }),
});

/** An expected refusal outside a result union, as a coded top-level error. */
export function codedError(error: DomainError): GraphQLError {
  const codes: Record<string, string> = {
    INVALID_INPUT: 'BAD_USER_INPUT',
    NOT_FOUND: 'NOT_FOUND',
    FORBIDDEN: 'FORBIDDEN',
  };
  const issues = error instanceof InvalidInputError ? { issues: error.issues } : {};
  const reason = error instanceof CredentialError ? { reason: error.reason } : {};
  const scope = error instanceof ForbiddenError ? { requiredScope: error.requiredScope } : {};
  const extensions = { code: codes[error.code] ?? error.code, ...issues, ...reason, ...scope };
  return new GraphQLError(error.message, { extensions });
}
