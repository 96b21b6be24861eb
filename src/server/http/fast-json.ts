import type { IncomingMessage, ServerResponse } from 'node:http';
import { BREAK, type DocumentNode, type ExecutionResult, getOperationAST, visit } from 'graphql';
import type { Transport, Yoga } from '../yoga/yoga.ts';

interface Params {
  query: string;
  variables?: Record<string, unknown>;
  operationName?: string;
}

/**
 * Answers the most common request, a JSON body answered by one JSON body, through yoga's execution (its parser cache,
 * validation, context, masking and plugins) but without its Request and Response objects, which cost more than such
 * a query itself: see bench/page.ts. Anything out of the ordinary is left to yoga as a whole: returns false, and
 * nothing has been answered or executed. A credential that is refused is not looked up again: `transport` says so.
 */
export async function answerFastJson(
  yoga: Yoga,
  request: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
  transport: Transport,
): Promise<boolean> {
  const params = isPlain(request) ? readParams(body) : null;
  if (!params) return false;
  const get = (name: string) => (request.headers[name] as string | undefined) ?? null;
  const { schema, execute, contextFactory, parse, validate } = yoga.getEnveloped({
    ...transport,
    request: { headers: { get } },
  } as never);
  let args: object;
  try {
    const document: DocumentNode = parse(params.query);
    const operation = getOperationAST(document, params.operationName);
    if (!operation || operation.operation === 'subscription' || validate(schema, document).length > 0) return false;
    const contextValue = await contextFactory().catch((error: unknown) => {
      transport.refusal = error;
      throw error;
    });
    if (contextValue.isAnonymous) return false;
    if (params.query.includes('@') && mayComeInParts(document)) {
      if (takesParts(request)) return false;
      response.writeHead(406, { 'content-type': 'application/json; charset=utf-8' });
      response.end(JSON.stringify({ errors: [{ message: noParts, extensions: { code: 'BAD_USER_INPUT' } }] }));
      return true;
    }
    args = { schema, document, operationName: params.operationName, variableValues: params.variables, contextValue };
  } catch {
    // No GraphQL, or no good credential: yoga meets the same again and says so properly.
    return false;
  }
  const result: ExecutionResult = await execute(args as never);
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(result));
  return true;
}

const noParts =
  'With @defer or @stream the answer comes in parts, for which nothing has been done: send "accept: multipart/mixed", or leave them out.';

/** Whether an answer may come in parts. */
function mayComeInParts(document: DocumentNode): boolean {
  let isFound = false;
  visit(document, {
    Directive: ({ name }) => {
      isFound ||= name.value === 'defer' || name.value === 'stream';
      return isFound ? BREAK : undefined;
    },
  });
  return isFound;
}

const takesParts = ({ headers: { accept = '*/*' } }: IncomingMessage) => accept.includes('*/*');

/** Whether JSON came in and plain JSON may go out. */
function isPlain({ headers }: IncomingMessage): boolean {
  const accept = headers.accept ?? '*/*';
  const takesJson = accept.includes('*/*') || accept.includes('application/json');
  return (
    takesJson &&
    !/event-stream|multipart|graphql-response/.test(accept) &&
    headers['content-type']?.startsWith('application/json') === true
  );
}

function readParams(body: Buffer): Params | null {
  try {
    const params = JSON.parse(body.toString()) as Partial<Params> | null;
    const isSimple = typeof params?.query === 'string' && !Array.isArray(params) && !('extensions' in params);
    const { variables = null, operationName = null } = params ?? {};
    const hasTypes =
      typeof variables === 'object' &&
      !Array.isArray(variables) &&
      (operationName === null || typeof operationName === 'string');
    return isSimple && hasTypes
      ? { query: params.query as string, variables: variables ?? undefined, operationName: operationName ?? undefined }
      : null;
  } catch {
    return null;
  }
}
