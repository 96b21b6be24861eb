import { GraphQLError } from 'graphql';
import { authenticateKey } from '../domain/api-key.ts';
import { type Actor, type DomainContext, domainContext, type Services } from '../domain/context.ts';
import { DomainError } from '../domain/error.ts';
import { chooseWorkspace } from '../domain/workspace.ts';

/** What a request says of who sends it. */
export interface Credentials {
  /** The value of the Authorization header: `Bearer <key>`. */
  authorization: string | null;
  /** The workspace that the request names; null: the key's own. */
  workspace: string | null;
}

interface Identity {
  actor: Actor;
  workspaceId: string;
}

/** For so long a key that was good is taken to be so without asking again. */
const rememberMs = 2000;
const maxRemembered = 10_000;

/** What to do about a missing credential. */
export const sendKey =
  'Send a key: the header "Authorization: Bearer <key>", or connectionParams.authorization on a socket.';

const bearer = /^Bearer\s+(\S+)$/i;

/** Whether an Authorization header holds a credential at all, good or not. */
export const hasSecret = (authorization: string | null) => bearer.test(authorization?.trim() ?? '');

/** A request without a credential, or with one that is not good. */
export function unauthenticated(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'UNAUTHENTICATED', http: { status: 401 } } });
}

/** Finds out who sends a request and in which workspace it acts; remembers good keys for a moment. */
export class Authenticator {
  readonly #services: Services;
  readonly #remembered = new Map<string, { until: number; identity: Promise<Identity> }>();

  constructor(services: Services) {
    this.#services = services;
  }

  /** The domain's context for a request. Throws a coded error when it has no good credential or names a foreign workspace. */
  async context({ authorization, workspace }: Credentials): Promise<DomainContext> {
    const secret = bearer.exec(authorization?.trim() ?? '')?.[1];
    if (!secret) {
      throw unauthenticated(sendKey);
    }
    const { actor, workspaceId } = await this.#identify(secret);
    const own = domainContext(this.#services, workspaceId, actor);
    if (workspace === null || workspace === workspaceId) return own;
    return domainContext(this.#services, await this.#enter(own, workspace), actor);
  }

  #identify(secret: string): Promise<Identity> {
    const known = this.#remembered.get(secret);
    if (known && known.until > Date.now()) return known.identity;
    const identity = this.#lookUp(secret);
    this.#remembered.set(secret, { until: Date.now() + rememberMs, identity });
    identity.catch(() => this.#remembered.delete(secret));
    if (this.#remembered.size > maxRemembered) this.#remembered.delete(this.#remembered.keys().next().value as string);
    return identity;
  }

  async #lookUp(secret: string): Promise<Identity> {
    const key = await authenticateKey(this.#services.database, secret);
    if (!key) throw unauthenticated('This key is not known, or is no longer valid.');
    return { actor: { kind: 'API_KEY', keyId: key.id, scopes: key.scopes }, workspaceId: key.workspaceId };
  }

  async #enter(ctx: DomainContext, workspace: string): Promise<string> {
    try {
      return await chooseWorkspace(ctx, workspace);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      throw new GraphQLError('No workspace with this id is here for you.', {
        extensions: { code: 'FORBIDDEN', http: { status: 403 } },
      });
    }
  }
}
