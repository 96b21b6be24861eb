const parameters = new WeakMap<AbortSignal, string>();

/**
 * Adds parameters to the body of the request that is made with the signal: `options` by the names that the provider has for
 * them. The packages of the vendors pass on only those that they know.
 */
export function addParameters(signal: AbortSignal, options: object): void {
  if (Object.keys(options).length > 0) parameters.set(signal, JSON.stringify(options));
}

/** The JSON body of a request with the parameters that were added to it. */
export function withParameters(init: RequestInit | undefined): RequestInit | undefined {
  const added = init?.signal && parameters.get(init.signal);
  const { body } = init ?? {};
  if (!added || typeof body !== 'string' || !body.startsWith('{')) return init;
  // The body of a long prompt is not parsed for it. Names that the server sets are refused when they are chosen.
  return { ...init, body: `${added.slice(0, -1)},${body.slice(1)}` };
}
