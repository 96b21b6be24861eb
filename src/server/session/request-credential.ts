import type { IncomingMessage } from 'node:http';
import type { Credential } from '../../domain/access/credential.ts';

const bearer = /^Bearer\s+(\S+)$/i;

/** The headers that can name the workspace of a request, in order of precedence; the second is DashScope's. */
const workspaceHeaders = ['x-workspace', 'x-dashscope-workspace'];

function credentialFrom(authorization: string | null | undefined, workspace: string | null): Credential {
  return { secret: bearer.exec(authorization?.trim() ?? '')?.[1] ?? null, workspace };
}

/** The credential in HTTP headers: `Authorization: Bearer <key or token>`, and the workspace to act in. */
export function headerCredential(header: (name: string) => string | null | undefined): Credential {
  const workspace = workspaceHeaders.map(header).find((value) => typeof value === 'string') ?? null;
  return credentialFrom(header('authorization'), workspace);
}

/** The credential in the headers of a Node.js request. */
export const requestCredential = ({ headers }: IncomingMessage): Credential =>
  headerCredential((name) => headers[name] as string | undefined);

/**
 * The credential in the `connectionParams` of a WebSocket or the `extensions` of an operation. `authorization` and the
 * workspace can stand in the object itself or in its `headers`; names are case-insensitive.
 */
export function paramsCredential(params: Record<string, unknown> = {}): Credential {
  const headers = (params.headers ?? {}) as Record<string, unknown>;
  const all = [...Object.entries(params), ...Object.entries(headers)];
  const find = (...names: string[]) => {
    const [, found] = all.find(([key, value]) => names.includes(key.toLowerCase()) && typeof value === 'string') ?? [];
    return (found as string | undefined) ?? null;
  };
  return credentialFrom(find('authorization'), find('workspace', ...workspaceHeaders));
}
