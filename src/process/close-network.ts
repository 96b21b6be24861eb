// Preloaded into guarded processes on versions of Node.js whose permissions do not cover the network.
import nodeModule from 'node:module';

type Bag = Record<string, unknown>;

/** Node's internal bindings, available through the flag --expose-internals. */
const { internalBinding } = nodeModule.createRequire(import.meta.url)('internal/test/binding') as {
  internalBinding: (name: string) => Bag;
};

/** As the system answers: EACCES, as a number of libuv. */
const denied = () => -13;

// Modules that are loaded already hold the classes: their methods are replaced, too.
for (const name of ['tcp_wrap', 'pipe_wrap', 'udp_wrap', 'cares_wrap']) {
  const binding = internalBinding(name);
  for (const key of Object.keys(binding)) {
    const member = binding[key];
    if (typeof member !== 'function') continue;
    const { prototype } = member as { prototype?: Bag };
    for (const method of prototype ? Object.getOwnPropertyNames(prototype) : []) {
      if (/^(connect|bind|listen|send|query|getHost|recvStart)/.test(method)) {
        Object.defineProperty(prototype, method, { value: denied });
      }
    }
    if (/^(getaddrinfo|getnameinfo)$/.test(key)) binding[key] = denied;
  }
}
