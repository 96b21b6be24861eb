import type { IncomingMessage, ServerResponse } from 'node:http';
import { BREAK, type DocumentNode, type ExecutionArgs, type ExecutionResult, visit } from 'graphql';
import type { LivenessLimits } from '../live/liveness.ts';
import { httpOf } from '../session/request-error.ts';
import { type OperationParams, prepareOperation } from '../yoga/execute-operation.ts';
import type { Transport } from '../yoga/transport.ts';
import type { Yoga } from '../yoga/yoga.ts';
import { sendPieces, sendPlain } from './json-response.ts';

/**
 * Serves the most common request, a JSON body with a single JSON response, with yoga's execution (parser cache,
 * validation, context, masking and plugins) but without its Request and Response objects: those cost more than a
 * short query (see bench/page.ts). Returns false for any other request, which yoga must then serve; nothing has been sent
 * or executed. `transport.credentialError` then has the error of the credential, so that yoga does not look it up again.
 */
export async function serveFastJson(
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
  transport: Transport,
  { yoga, liveness }: { yoga: Yoga; liveness: LivenessLimits },
): Promise<boolean> {
  const params = isPlain(request) ? readParams(body) : null;
  if (!params) return false;
  const get = (name: string) => (request.headers[name] as string | undefined) ?? null;
  const turn = transport.turns?.wait();
  if (turn) await turn;
  if (transport.disconnected?.aborted) return true;
  let args: ExecutionArgs;
  let execute: (args: ExecutionArgs) => Promise<ExecutionResult>;
  try {
    const prepared = prepareOperation(yoga, { ...transport, request: { headers: { get } } }, params);
    if ('errors' in prepared) {
      setHead(response, prepared);
      sendPlain(response, prepared, liveness);
      return true;
    }
    if (prepared.kind === 'subscription') return false;
    const context = await prepared.createContext().catch((error: unknown) => {
      transport.credentialError = error;
      throw error;
    });
    if (context.isAnonymous) return false;
    if (params.query.includes('@') && isIncremental(prepared.document)) {
      if (acceptsAnything(request)) return false;
      sendNotAcceptable(response);
      return true;
    }
    args = prepared.argsWith(context);
    execute = prepared.execute;
  } catch {
    // A syntax error or a refused credential: yoga meets the same error and sends it.
    return false;
  }
  const result = await execute(args);
  setHead(response, result);
  if (transport.answer?.isLarge) await sendPieces(response, result, liveness);
  else sendPlain(response, result, liveness);
  return true;
}

function setHead(response: ServerResponse, result: ExecutionResult): void {
  const { status, headers } = httpOf(result);
  response.statusCode = status;
  response.setHeaders(new Map(Object.entries(headers)));
}

function sendNotAcceptable(response: ServerResponse): void {
  const message =
    'A query with @defer or @stream has a response in several parts: send "accept: multipart/mixed", or remove the directives. Nothing was executed.';
  response.writeHead(406, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify({ errors: [{ message, extensions: { code: 'BAD_USER_INPUT' } }] }));
}

/** Whether a document has directives that split its result into several parts. */
function isIncremental(document: DocumentNode): boolean {
  let isFound = false;
  visit(document, {
    Directive: ({ name }) => {
      isFound ||= name.value === 'defer' || name.value === 'stream';
      return isFound ? BREAK : undefined;
    },
  });
  return isFound;
}

const acceptsAnything = ({ headers: { accept = '*/*' } }: IncomingMessage) => accept.includes('*/*');

/** Whether the request body is JSON and the response can be plain JSON. */
function isPlain(request: IncomingMessage): boolean {
  const { accept = '*/*', 'content-type': type } = request.headers;
  return (
    (acceptsAnything(request) || accept.includes('application/json')) &&
    !/event-stream|multipart|graphql-response/.test(accept) &&
    type?.startsWith('application/json') === true
  );
}

/** The operation in a JSON body; null if it has other types than the specification, or extensions. */
function readParams(body: Buffer): OperationParams | null {
  try {
    const params = JSON.parse(body.toString()) as Partial<OperationParams> | null;
    const isSimple = typeof params?.query === 'string' && !Array.isArray(params) && !('extensions' in params);
    const { variables = null, operationName = null } = params ?? {};
    const hasTypes =
      typeof variables === 'object' &&
      !Array.isArray(variables) &&
      (operationName === null || typeof operationName === 'string');
    return isSimple && hasTypes ? { query: params.query as string, variables, operationName } : null;
  } catch {
    return null;
  }
}
