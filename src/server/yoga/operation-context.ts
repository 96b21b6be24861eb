import { type GraphContext, graphContext } from '../../graphql/context.ts';
import type { Session } from '../session/session.ts';

/**
 * The context of an operation of a session. `origin`: where the client reaches the server, for links to files; null: at the
 * server's own address. `signal` aborts when the client disconnects.
 */
export function operationContext(session: Session, origin: string | null, signal: AbortSignal): GraphContext {
  const { context } = session;
  return graphContext({ ...context, fileLinks: context.fileLinks.at(origin) }, session, signal);
}
