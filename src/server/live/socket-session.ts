import type { Credential } from '../../domain/access/credential.ts';
import { UnavailableError } from '../../domain/error.ts';
import type { Authenticator } from '../session/authenticator.ts';
import { holderOf } from '../session/holder.ts';
import type { Session } from '../session/session.ts';
import type { ClientSocket } from './client-socket.ts';
import { closeCode } from './close-code.ts';

/** The session of one WebSocket, from its first valid credential to its close. */
export class SocketSession {
  readonly #socket: ClientSocket;
  readonly #authenticator: Authenticator;
  readonly #closed = new AbortController();
  #session: Session | null = null;
  #opening: Promise<Session> | null = null;

  constructor(socket: ClientSocket, authenticator: Authenticator) {
    this.#socket = socket;
    this.#authenticator = authenticator;
    socket.once('close', () => this.#closed.abort());
  }

  get isOpen(): boolean {
    return this.#session !== null;
  }

  /** Aborts when the socket closes. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Closes the socket unless a session opens within `credentialMs`. */
  expectCredential(credentialMs: number): void {
    const timer = setTimeout(() => {
      if (!this.isOpen) this.#socket.close(closeCode.unauthorized, 'Unauthorized');
    }, credentialMs);
    this.closed.addEventListener('abort', () => clearTimeout(timer));
  }

  /** Opens the session; the socket is closed when its credential ends. Throws the error that refuses the credential. */
  async open(credential: Credential): Promise<Session> {
    const session = await this.#authenticator.open(credential);
    const { revoked, release } = session.watch('socket');
    this.#session = session;
    this.#socket.admit(holderOf(session.context));
    if (this.closed.aborted) {
      release();
      return session;
    }
    this.closed.addEventListener('abort', release);
    revoked.addEventListener('abort', () => {
      const { message } = revoked.reason as Error;
      // Without errors of its operations before: a client reconnects and resumes them.
      if (revoked.reason instanceof UnavailableError) return this.#socket.close(closeCode.unavailable, 'Unavailable');
      void this.#socket.closeWhenIdle(closeCode.forbidden, message);
    });
    return session;
  }

  /**
   * The session for an operation: opened if there is none, and renewed if the operation has a credential. Throws the
   * error that refuses the credential.
   */
  async forOperation(credential: Credential): Promise<Session> {
    // Of several first operations, one opens the session; if it is refused, the next one can.
    while (this.#opening) await this.#opening.catch(() => {});
    if (this.#session) {
      if (credential.secret !== null) await this.#session.renew(credential);
      return this.#session;
    }
    const opening = this.open(credential);
    this.#opening = opening;
    try {
      return await opening;
    } finally {
      this.#opening = null;
    }
  }
}
