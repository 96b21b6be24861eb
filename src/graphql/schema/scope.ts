import type { Scope } from '../../db/generated/client.ts';
import { builder } from '../builder.ts';

/** A permission of a credential. */
export const ScopeEnum = builder.enumType('Scope', {
  description: 'A permission of a credential. Each field states the scopes that it needs.',
  values: {
    ASSISTANTS_READ: { description: 'Read assistants and plugins.' },
    ASSISTANTS_WRITE: { description: 'Create, update and delete assistants and plugins.' },
    THREADS_READ: { description: 'Read threads, messages and files.' },
    THREADS_WRITE: { description: 'Create, update and delete threads, messages and files.' },
    RUNS_READ: { description: 'Read runs and steps, and subscribe to them.' },
    RUNS_WRITE: { description: 'Create and cancel runs, and submit tool outputs.' },
    WORKSPACE_ADMIN: { description: 'Manage the workspace: its name, settings and API keys.' },
    SERVER_ADMIN: {
      description: 'Manage the server: create and delete workspaces, act in all of them, and rotate the signing key.',
    },
  } satisfies Record<Scope, { description: string }>,
});
