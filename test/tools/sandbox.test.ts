import { existsSync, readdirSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Interpreter, InterpreterDiedError } from '../../src/tools/python/interpreter.ts';
import { InterpreterPool } from '../../src/tools/python/pool.ts';
import { openSnapshot } from '../../src/tools/python/snapshot.ts';
import { fastTiming } from '../support/timing.ts';

const limits = { outputBytes: 100_000, files: 20, fileBytes: 10_000_000 };
let snapshot: string;
let interpreter: Interpreter;
/** It starts while a case runs, for the case after one that ends the interpreter. */
let spare: Interpreter;
let listener: Server;
let connections = 0;
let port: number;

const options = () => ({ memoryMb: 256, fileBytes: 64_000_000, snapshot });
const start = () => new Interpreter(options(), fastTiming.python);

beforeAll(async () => {
  snapshot = await openSnapshot(join(tmpdir(), 'assistant-graph-python'), 256, fastTiming.python);
  interpreter = start();
  spare = start();
  listener = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  port = (listener.address() as { port: number }).port;
});
afterAll(() => {
  interpreter.kill();
  spare.kill();
  listener.close();
});

/** The shared interpreter; the spare one after a case has ended it. */
function living(): Interpreter {
  if (!interpreter.isAlive) [interpreter, spare] = [spare, start()];
  return interpreter;
}

/** Runs a program. Returns its output and its outcome: how the program or the interpreter ended. */
async function run(code: string, seconds = 10): Promise<{ out: string; outcome: string; files: string[] }> {
  const own = living();
  let out = '';
  try {
    const { done } = await own.run({ type: 'run', code, seconds, ...limits }, (bytes) => {
      out += Buffer.from(bytes).toString();
    });
    return { out, outcome: done.outcome, files: done.files.map(({ path }) => path) };
  } catch (error) {
    // As the tool does: the state of the interpreter is unknown.
    own.kill();
    if (!(error instanceof InterpreterDiedError)) return { out, outcome: 'failed', files: [] };
    return { out, outcome: error.cause, files: [] };
  }
}

/** The outcome and the output of a program, as one text. */
const resultOf = async (code: string, seconds?: number) => {
  const { out, outcome } = await run(code.replaceAll('PORT', String(port)), seconds);
  return `${outcome}: ${out}`;
};

const builtin = (name: string) =>
  `import _imp, importlib.machinery as m\nq=_imp.create_builtin(m.ModuleSpec("${name}",m.BuiltinImporter))\n`;

describe('nothing outside can be read', () => {
  test.each([
    ['a file', 'open("/etc/passwd").read()', /FileNotFoundError/],
    ['the environment of the process', 'open("/proc/self/environ","rb").read()', /FileNotFoundError/],
    [
      'the environment of the server',
      'import os; open(f"/proc/{os.getppid()}/environ","rb").read()',
      /FileNotFoundError/,
    ],
    ['a way up', 'open("/mnt/data/../../../../etc/shadow").read()', /FileNotFoundError/],
    ['a device', 'open("/dev/mem","rb")', /FileNotFoundError/],
    ['a link', 'import os; os.symlink("/etc/passwd","p"); open("p").read()', /FileNotFoundError/],
    ['links in a circle', 'import os; os.symlink("a","b"); os.symlink("b","a"); open("a")', /Symbolic link loop/],
    ['the root', 'import os; print(sorted(os.listdir("/")))', /\['dev', 'home', 'lib', 'mnt', 'proc', 'tmp'\]/],
    [
      'variables',
      'import os; print([v for k, v in os.environ.items() if "/work" in v or "assistant" in v])',
      /^ok: \[\]/,
    ],
  ])('%s', async (_name, code, expected) => {
    expect(await resultOf(code)).toMatch(expected);
  });
});

describe('the network cannot be reached', () => {
  test.each([
    [
      'TCP',
      'import socket; s=socket.socket(); s.settimeout(1); s.connect(("127.0.0.1",PORT)); s.send(b"x")',
      /OSError|unreachable/,
    ],
    [
      'UDP',
      'import socket; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.sendto(b"x",("127.0.0.1",PORT))',
      /OSError|unreachable/,
    ],
    [
      'a server of its own',
      'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); s.listen(); s.accept()',
      /Error|crashed/,
    ],
    ['urllib', 'import urllib.request; urllib.request.urlopen("http://127.0.0.1:PORT/")', /URLError|Error/],
    ['http.client', 'import http.client; http.client.HTTPConnection("127.0.0.1",PORT).request("GET","/")', /Error/],
    ['asyncio', 'import asyncio; await asyncio.open_connection("127.0.0.1",PORT)', /NotImplementedError|Error/],
    ['fetch', 'from js import fetch; await fetch("http://127.0.0.1:PORT/")', /ImportError|ModuleNotFoundError/],
    [
      'pyodide.http',
      'import pyodide.http; await pyodide.http.pyfetch("http://127.0.0.1:PORT/")',
      /ImportError|ModuleNotFoundError/,
    ],
  ])('by %s', async (_name, code, expected) => {
    expect(await resultOf(code, 30)).toMatch(expected);
    expect(connections).toBe(0);
  });
});

describe('no process can be started or signalled', () => {
  test.each([
    ['os.system', 'import os; os.system("touch /tmp/broken-out")', /Not permitted/],
    ['posix.system', 'import posix; posix.system("touch /tmp/broken-out")', /Not permitted/],
    ['a posix of its own', `${builtin('posix')}print(q.system("touch /tmp/broken-out"))`, /crashed|-?\d+|Error/],
    ['subprocess', 'import subprocess; subprocess.run(["id"])', /does not support processes/],
    ['fork', 'import os\nwhile True: os.fork()', /Not permitted/],
    ['exec', 'import os; os.execv("/bin/sh",["sh"])', /Not permitted/],
    ['threads', 'import threading; threading.Thread(target=print).start()', /can't start new thread/],
    ['multiprocessing', 'import multiprocessing as m; m.Process(target=print).start()', /Error/],
    ['kill', 'import os; os.kill(os.getppid(),9)', /Not permitted/],
    ['the pipe to the server', 'import os; os.write(3,b"x"*8)', /Bad file descriptor/],
    ['the input', 'import sys; print(sys.stdin.read()); input()', /EOFError/],
  ])('by %s', async (_name, code, expected) => {
    expect(await resultOf(code)).toMatch(expected);
    expect(existsSync('/tmp/broken-out')).toBe(false);
  });
});

describe('JavaScript cannot be reached, and its bindings are removed', () => {
  const object = 'from pyodide import _package_loader as l\nO=l.loadedPackages.constructor\n';
  test.each([
    ['import js', 'import js', /ModuleNotFoundError|ImportError/],
    ['import pyodide_js', 'import pyodide_js', /ModuleNotFoundError|ImportError/],
    ['run_js', 'from pyodide.code import run_js\nrun_js("1+1")', /ModuleNotFoundError|ImportError/],
    ['js, looked for again', 'import sys; sys.modules.pop("js"); import js', /No module named 'js'/],
    ['ctypes', 'import ctypes', /ModuleNotFoundError|ImportError/],
    [
      'the loaders',
      'import gc\nprint([o for o in gc.get_objects() if type(o).__name__=="JsLoader" and hasattr(o,"jsproxy")])',
      /^ok: \[\]/,
    ],
    [
      'Function',
      'from pyodide.webloop import scheduleCallback as s\ns.constructor("return process")()',
      /EvalError|Error/,
    ],
    [
      'prototypes',
      `${object}d=O(); d.value=1; d.configurable=True\nO.defineProperty(O.prototype,"devicePixelRatio",d)`,
      /not extensible|Error/,
    ],
    ['functions that kill', `${object}print(hasattr(O,"kill"), O.getOwnPropertyNames)`, /False/],
    ['a fatal error', `${builtin('_pyodide_core')}q.trigger_fatal_error()`, /crashed|Error/],
  ])('%s', async (_name, code, expected) => {
    expect(await resultOf(code)).toMatch(expected);
  });

  test('a chain of calls that once led out of the sandbox', async () => {
    let signals = 0;
    const count = () => {
      signals += 1;
    };
    process.on('SIGUSR2', count);
    const before = getPriority();
    const out = await resultOf(`import gc
from pyodide.ffi import create_proxy
from pyodide import _package_loader as l
O=l.loadedPackages.constructor
got=[]
def hook(n,k,f):
    d=O(); setattr(d,k,create_proxy(f,capture_this=True)); d.configurable=True; O.defineProperty(O.prototype,n,d)
hook('devicePixelRatio','get',lambda this,*a:(got.append(this),1)[1])
print('REACHED')`);
    process.off('SIGUSR2', count);
    expect(out).not.toContain('REACHED');
    expect([signals, getPriority()]).toEqual([0, before]);
  });
});

describe('the resources that it exhausts are its own', () => {
  test.each([
    ['memory at once', 'bytearray(10**9)', 10, /MemoryError/],
    ['memory bit by bit', 'L=[]\nwhile 1: L.append(bytes(10**6))', 20, /MemoryError|timeout|memory|crashed/],
    ['files', 'f=open("/tmp/x","wb")\nfor i in range(400): f.write(b"x"*10**6)', 20, /Errno 51|OSError|MemoryError/],
    ['/dev/shm', 'open("/dev/shm/x","wb").write(b"x"*(3*10**8))', 10, /Errno 51|MemoryError|OSError/],
    ['a large sparse file', 'f=open("big","wb"); f.truncate(10**9)', 10, /Errno 51|OSError/],
    [
      'a pipe without a reader',
      'import os\nr,w=os.pipe()\nfor i in range(300): os.write(w,b"x"*10**6)',
      20,
      /Errno 51|OSError|Error/,
    ],
    [
      'descriptors',
      'L=[]\nwhile 1: L.append(open("/dev/null"))',
      20,
      /OSError|MemoryError|Errno|error|timeout|crashed/,
    ],
    ['time', 'while True: pass', 0.4, /^timeout/],
    ['time in a regular expression', 'import re; re.match(r"(a+)+$","a"*40+"b")', 0.4, /^timeout/],
    ['time asleep', 'import time; time.sleep(10**6)', 0.4, /^timeout/],
    ['time asleep in asyncio', 'import asyncio; await asyncio.sleep(10**6)', 0.4, /^timeout/],
    [
      'time awaiting a future that never settles',
      'import asyncio; await asyncio.get_event_loop().create_future()',
      0.4,
      /^timeout/,
    ],
    ['time in C', 'sum(range(10**12))', 0.4, /^(timeout|late)/],
    [
      'time, with interrupts caught',
      'while True:\n try:\n  while True: pass\n except BaseException: pass',
      0.4,
      /^late/,
    ],
    [
      'time, with signals off',
      'import signal; signal.signal(signal.SIGINT,signal.SIG_IGN)\nwhile True: pass',
      0.4,
      /^late/,
    ],
    ['recursion', 'def f(): return f()\nf()', 10, /RecursionError/],
    [
      'recursion without a limit',
      'import sys; sys.setrecursionlimit(10**9)\ndef f(): return f()\nf()',
      10,
      /crashed|RecursionError/,
    ],
    ['a nesting', 'x=[]\nfor i in range(10**6): x=[x]\nrepr(x)', 20, /crashed|RecursionError|MemoryError/],
    ['digits', 'str(10**5000)', 10, /Exceeds the limit/],
    ['an exit', 'import os; os._exit(3)', 10, /^crashed/],
    ['a fault', 'import faulthandler; faulthandler._sigsegv()', 10, /^crashed/],
  ])('%s', async (_name, code, seconds, expected) => {
    expect(await resultOf(code, seconds)).toMatch(expected);
  });

  test('output beyond the limit is cut off, and the program continues', async () => {
    const { out, outcome } = await run('while True: print("x" * 1000)', 3);
    expect([out.length, outcome]).toEqual([limits.outputBytes, 'timeout']);
  });

  test('files that are nested too deep and files beyond the limit are not given back', async () => {
    const { outcome, files } = await run(
      'import os\np="/mnt/data"\nfor i in range(60): p+="/d"; os.mkdir(p)\nopen(p+"/f","w").write("x")\nfor i in range(100): open(f"/mnt/data/{i}","w").write("x")',
    );
    expect([outcome, files.length]).toEqual(['ok', limits.files]);
  });

  test('a removed folder of files is created again', async () => {
    expect(await resultOf('import os,shutil; os.chdir("/"); shutil.rmtree("/mnt/data")')).toMatch(/^ok/);
    expect((await run('open("/mnt/data/b","w").write("1")')).files).toEqual(['b']);
    expect(await resultOf('import os,shutil; shutil.rmtree("/mnt/data"); open("/mnt/data","w").write("x")')).toMatch(
      /^ok/,
    );
    await expect(interpreter.put('a.txt', new Uint8Array(1))).rejects.toThrow(/no longer a folder/);
    interpreter.kill();
  });

  test('changes to Python itself stay within the interpreter', async () => {
    expect(await resultOf('import builtins; builtins.print=None; builtins.repr=None')).toMatch(/^ok/);
    expect(await resultOf('1 + 1')).toBe('ok: 2\n');
    expect(await resultOf('import builtins; builtins.len=None')).toMatch(/^(ok|failed)/);
    await resultOf('1 + 1');
    interpreter.kill();
    expect(await resultOf('1 + 1')).toBe('ok: 2\n');
  });

  test('the IDs of user and group are numbers', async () => {
    const names = ['getuid', 'geteuid', 'getgid', 'getegid', 'getpid', 'getppid', 'umask'];
    const calls = names.map((name) => `os.${name}(${name === 'umask' ? '18' : ''})`).join(', ');
    const code = `import os\nprint(all(isinstance(id, int) for id in [${calls}, *os.getgroups()]))\nos.path.expanduser('~')`;
    expect(await run(code)).toMatchObject({ out: "True\n'/mnt/data'\n", outcome: 'ok' });
  });

  test('an endless search for modules is stopped', async () => {
    const own = new Interpreter(options(), { ...fastTiming.python, requestMs: 1500 });
    const code = 'import sys\nclass F:\n    def find_spec(s,*a):\n        while 1: pass\nsys.meta_path.insert(0,F())';
    await own.run({ type: 'run', code, seconds: 10, ...limits }, () => {});
    // It is interrupted in the sandbox, or the interpreter is killed.
    await expect(own.missing('import nothing')).rejects.toThrow();
    own.kill();
  }, 60_000);
});

describe('the interpreters of threads', () => {
  const never = new AbortController().signal;
  const program = { workspaceId: 'one', owner: '' };

  test('are not shared between threads and stay within the limit', async () => {
    let started = 0;
    const pool = new InterpreterPool({
      ...{ max: 2, ready: 1, idleMs: 60_000 },
      start: () => {
        started += 1;
        return start();
      },
    });
    const ask = (thread: string, code: string) =>
      pool.use(program, thread, never, async ({ interpreter: own }) => {
        let out = '';
        await own.run({ type: 'run', code, seconds: 10, ...limits }, (bytes) => {
          out += Buffer.from(bytes).toString();
        });
        return out;
      });
    await Promise.all(['a', 'b'].map((thread) => ask(thread, `mine = "${thread}"`)));
    expect(await Promise.all(['a', 'b', 'a', 'b'].map((thread) => ask(thread, 'print(mine)')))).toEqual([
      'a\n',
      'b\n',
      'a\n',
      'b\n',
    ]);
    expect(started).toBe(2);
    await ask('b', '1');
    // A third thread replaces the least recently used one, which gets a new interpreter.
    await ask('c', 'mine = "c"');
    expect(await ask('a', 'print("mine" in globals())')).toBe('False\n');
    await pool.close();
    await expect(ask('a', '1')).rejects.toThrow(/closed/);
  });

  test('end after their idle time', async () => {
    const ended: Promise<void>[] = [];
    const pool = new InterpreterPool({
      ...{ max: 2, ready: 0, idleMs: 400 },
      start: () => {
        const made = start();
        ended.push(new Promise((resolve) => made.onEnd(resolve)));
        return made;
      },
    });
    const run = (code: string) =>
      pool.use(program, 'a', never, async ({ interpreter: own }) => {
        const { done } = await own.run({ type: 'run', code, seconds: 10, ...limits }, () => {});
        return done.outcome;
      });
    expect(await run('mine = 1')).toBe('ok');
    await ended[0];
    expect(await run('mine')).toBe('error');
    expect(ended).toHaveLength(2);
    await pool.close();
  });

  test('are waited for until the signal aborts', async () => {
    const pool = new InterpreterPool({ max: 1, ready: 0, idleMs: 60_000, start });
    let release = () => {};
    const held = pool.use(program, 'a', never, () => new Promise<void>((resolve) => (release = resolve)));
    const gone = new AbortController();
    const waiting = pool.use(program, 'b', gone.signal, async () => 'b');
    gone.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    const next = pool.use(program, 'c', never, async () => 'c');
    release();
    await held;
    expect(await next).toBe('c');
    await pool.close();
  });

  test('are left free by a user whose programs do not end, for other users', async () => {
    const fake = { isAlive: true, kill: () => {}, onEnd: (end: () => void) => end() } as unknown as Interpreter;
    const pool = new InterpreterPool({ max: 2, ready: 0, idleMs: 60_000, start: () => fake });
    const started: string[] = [];
    const hold = (owner: string, thread: string) => {
      const released = Promise.withResolvers<void>();
      const done = pool.use({ workspaceId: 'one', owner }, thread, never, () => {
        started.push(thread);
        return released.promise;
      });
      return { done, release: released.resolve };
    };
    const endless = ['a1', 'a2', 'a3'].map((thread) => hold('alice', thread));
    const bobs = hold('bob', 'b1');
    await expect.poll(() => started).toEqual(['a1', 'b1']);
    bobs.release();
    await bobs.done;
    const second = hold('bob', 'b2');
    await expect.poll(() => started).toEqual(['a1', 'b1', 'b2']);
    for (const { release } of [...endless, second]) release();
    await Promise.all([...endless, second].map(({ done }) => done));
    await pool.close();
  });

  test('leave no files behind', () => {
    expect(readdirSync('/tmp').filter((name) => name.includes('broken'))).toEqual([]);
  });
});
