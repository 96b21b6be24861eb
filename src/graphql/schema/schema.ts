import { GraphQLDeferDirective, GraphQLStreamDirective } from '@graphql-tools/utils';
import { type GraphQLSchema, specifiedDirectives } from 'graphql';
import { builder } from '../builder.ts';
import '../scalar.ts';
import './scope.ts';
import './run-override.ts';
import './file.ts';
import './plugin.ts';
import './tool.ts';
import './model.ts';
import './api-key.ts';
import './workspace.ts';
import './api-key-mutation.ts';
import './session-token.ts';
import './viewer.ts';
import './assistant.ts';
import './plugin-mutation.ts';
import './content.ts';
import './thread.ts';
import './thread-mutation.ts';
import './thread-view-mutation.ts';
import './message.ts';
import './message-mutation.ts';
import './feedback.ts';
import './message-search.ts';
import './run.ts';
import './tool-call.ts';
import './step.ts';
import './error.ts';
import './run-mutation.ts';
import './event-subscription.ts';

/** Builds the executable schema from the types that the imported files have added to the builder. */
export function buildSchema(): GraphQLSchema {
  return builder.toSchema({ directives: [...specifiedDirectives, GraphQLDeferDirective, GraphQLStreamDirective] });
}
