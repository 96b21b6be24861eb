import type { IncomingMessage } from 'node:http';
import type { FairTurns } from '../../async/fair-turns.ts';
import { noCredential } from '../../domain/access/credential.ts';
import { serverLimits } from '../limits.ts';
import type { Authenticator } from '../session/authenticator.ts';
import { holderOf } from '../session/holder.ts';
import { requestCredential } from '../session/request-credential.ts';
import { requestError } from '../session/request-error.ts';
import type { Session } from '../session/session.ts';
import type { TrustedProxies } from '../trusted-proxies.ts';
import type { Transport } from '../yoga/transport.ts';
import { countedAddress } from './address-counts.ts';

/** What the credential of a request allows before its body is read. */
export interface Admission {
  /** null: no credential, or a refused one. */
  session: Session | null;
  /** The error that refuses the credential. */
  refusal: unknown;
  /** The most bytes of its body that are read. */
  maxBytes: number;
}

/** Judges the credential in the headers of a request. Never rejects. `maxBodyBytes`: for an accepted credential. */
export async function admit(
  request: IncomingMessage,
  authenticator: Authenticator,
  maxBodyBytes: number,
): Promise<Admission> {
  const credential = requestCredential(request);
  const maxBytes = Math.min(serverLimits.anonymousBytes, maxBodyBytes);
  if (credential.secret === null) return { session: null, refusal: null, maxBytes };
  try {
    return { session: await authenticator.open(credential), refusal: null, maxBytes: maxBodyBytes };
  } catch (error) {
    return { session: null, refusal: error, maxBytes };
  }
}

/** The error of a request whose body is too large for its missing or refused credential. */
export const refusalOf = ({ refusal }: Admission): unknown => refusal ?? noCredential();

/** What yoga needs to know about the credential of a request, and when it may validate its document. */
export function admitted(
  { session, refusal }: Admission,
  request: IncomingMessage,
  { turns, proxies }: { turns: FairTurns; proxies: TrustedProxies },
): Transport {
  const stranger = () => `stranger ${countedAddress(proxies.addressOf(request))}`;
  return {
    session,
    credentialError: refusal === null ? undefined : requestError(refusal),
    isStranger: session === null,
    turns: turns.of(session ? holderOf(session.context).name : stranger()),
  };
}
