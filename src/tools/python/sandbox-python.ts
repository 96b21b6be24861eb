/** The modules that are loaded before a snapshot is taken. */
export const imports = `
import ast, traceback, asyncio, builtins, linecache, random, sys, os, posix, json, math, re, io, time, warnings, importlib, signal
import importlib.util
from pyodide.code import eval_code_async, find_imports
`;

/**
 * Defines `_run` and `_missing`. A program is a cell, as in a notebook: its names stay for the next one, the value of its
 * last expression is printed, and a traceback shows only lines of the program.
 */
export const cells = `
def _make():
    random.seed()
    sleep, monotonic, show, emit, size = time.sleep, time.monotonic, repr, print, len
    over = monotonic()

    def dozing(seconds):
        # Sleeps in short intervals and checks the program's deadline between them.
        end = monotonic() + seconds
        sleep(min(seconds, 0.05))
        while (left := end - monotonic()) > 0:
            if monotonic() > over:
                raise KeyboardInterrupt
            sleep(min(left, 0.05))
    time.sleep = dozing

    def interrupt(number, frame):
        # Only program code is interrupted. A program that awaits is ended by the timeout of 'wait_for'.
        while frame is not None:
            if frame.f_code.co_filename.startswith('<cell '):
                raise KeyboardInterrupt
            frame = frame.f_back
    signal.signal(signal.SIGINT, interrupt)

    def deny(*args, **named):
        raise PermissionError(1, 'Not permitted in the sandbox')
    for name in ('system', 'fork', 'forkpty', 'execv', 'execve', 'kill', 'popen', 'posix_spawn'):
        for module in (os, posix):
            if hasattr(module, name):
                setattr(module, name, deny)
    for module in (os, posix):
        for name in ('getuid', 'geteuid', 'getgid', 'getegid'):
            setattr(module, name, lambda: 0)
        module.getgroups = lambda: [0]
    number = 0
    wait_for = asyncio.wait_for
    names = {'__name__': '__main__', '__builtins__': builtins, '__doc__': None}
    limit = 100_000

    def shown(value):
        text = show(value)
        return text if size(text) <= limit else text[:limit] + '…'

    def described(error, file):
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename != file:
            trace = trace.tb_next
        return ''.join(traceback.TracebackException(type(error), error, trace, compact=True).format())[-20_000:]

    async def run(code, seconds):
        nonlocal number, over
        number += 1
        over = monotonic() + seconds
        file = f'<cell {number}>'
        linecache.cache[file] = (len(code), None, code.splitlines(True), file)
        try:
            value = await wait_for(eval_code_async(code, names, filename=file), seconds + 0.1)
            if value is not None:
                names['_'] = value
                emit(shown(value))
            return 'ok'
        except SystemExit as error:
            if error.code not in (None, 0):
                emit(f'SystemExit: {error.code}', file=sys.stderr)
            return 'ok' if error.code in (None, 0) else 'error'
        except (KeyboardInterrupt, TimeoutError) as error:
            if isinstance(error, KeyboardInterrupt) or monotonic() > over:
                return 'timeout'
            emit(described(error, file), file=sys.stderr, end='')
            return 'error'
        except BaseException as error:
            try:
                emit(described(error, file), file=sys.stderr, end='')
            except BaseException:
                emit(type(error).__name__)
            return 'error'
        finally:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            for stream in (sys.stdout, sys.stderr):
                try:
                    stream.flush()
                except BaseException:
                    pass

    def missing(code):
        try:
            wanted = find_imports(code)
        except SyntaxError:
            return []
        def is_there(name):
            try:
                return name in sys.modules or importlib.util.find_spec(name) is not None
            except (ImportError, ValueError):
                return False
        return [name for name in wanted if size(name) <= 200 and not is_there(name)][:100]

    return run, missing

_run, _missing = _make()
del _make
`;

/** Removes the modules that lead from Python to JavaScript. The actual barrier is the process around it. */
export const removeJavaScript = `
import _pyodide._importhook as _hook, gc as _gc
for _loader in _gc.get_objects():
    if type(_loader).__name__ == 'JsLoader' and hasattr(_loader, 'jsproxy'):
        del _loader.jsproxy
for _name in ('js', 'pyodide_js', 'pyodide_js._api'):
    sys.modules.pop(_name, None)
_hook.jsfinder.jsproxies.clear()
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != 'JsFinder']
for _name in ('ctypes', '_ctypes', 'js', 'pyodide_js', '_pyodide_core', 'pyodide.http'):
    sys.modules[_name] = None
os.environ.pop('_', None)
del _hook, _name, _gc, _loader
`;
