/**
 * Flags of V8 for processes under test. PGlite is 9 MB of WebAssembly that every process compiles anew: these compile only
 * what is called, and do not optimize it, which saves a third of the CPU time of a start.
 */
export const wasmFlags = ['--liftoff-only', '--wasm-lazy-compilation'];
