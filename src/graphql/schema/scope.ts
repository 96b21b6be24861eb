import type { Scope } from '../../db/generated/client.ts';
import { builder } from '../builder.ts';

/** What a credential may do. */
export const ScopeEnum = builder.enumType('Scope', {
  description: 'What a credential may do.',
  values: {
    ASSISTANTS_READ: { description: 'Read assistants.' },
    ASSISTANTS_WRITE: { description: 'Make, change and delete assistants.' },
    THREADS_READ: { description: 'Read threads and messages.' },
    THREADS_WRITE: { description: 'Make, change and delete threads and messages.' },
    RUNS_READ: { description: 'Read and follow runs and steps.' },
    RUNS_WRITE: { description: 'Start, steer and cancel runs.' },
    WORKSPACE_ADMIN: { description: 'Change the workspace, its settings and its keys.' },
    SERVER_ADMIN: { description: 'Make and delete workspaces, and act in all of them.' },
  } satisfies Record<Scope, { description: string }>,
});

/** The order of lists that offer no choice. */
export const OrderDirection = builder.enumType('OrderDirection', {
  description: 'Which end of a list comes first.',
  values: {
    ASC: { description: 'The smallest or oldest first.' },
    DESC: { description: 'The largest or newest first.' },
  } as const,
});
