import { GraphQLDeferDirective, GraphQLStreamDirective } from '@graphql-tools/utils';
import { type GraphQLSchema, specifiedDirectives } from 'graphql';
import { builder } from './builder.ts';
import './scalar.ts';
import './schema/scope.ts';
import './schema/file.ts';
import './schema/plugin.ts';
import './schema/tool.ts';
import './schema/model.ts';
import './schema/api-key.ts';
import './schema/workspace.ts';
import './schema/api-key-mutation.ts';
import './schema/session-token.ts';
import './schema/viewer.ts';
import './schema/assistant.ts';
import './schema/plugin-mutation.ts';
import './schema/content.ts';
import './schema/thread.ts';
import './schema/thread-mutation.ts';
import './schema/message.ts';
import './schema/message-mutation.ts';
import './schema/run.ts';
import './schema/tool-call.ts';
import './schema/step.ts';
import './schema/error.ts';
import './schema/run-mutation.ts';
import './schema/event.ts';

/** Builds the executable schema from the types that the imported files have added to the builder. */
export function buildSchema(): GraphQLSchema {
  return builder.toSchema({ directives: [...specifiedDirectives, GraphQLDeferDirective, GraphQLStreamDirective] });
}
