/** What is loaded before a snapshot is taken. */
export const imports = `
import ast, traceback, asyncio, builtins, linecache, random, sys, os, posix, json, math, re, io, time, warnings, importlib
import importlib.util
from pyodide.code import eval_code_async, find_imports
`;

/**
 * Defines `_run` and `_missing`. A program is a cell: its names stay for the next one, its last expression is shown as a
 * notebook shows it, and what goes wrong is told with the lines of the program alone.
 */
export const cells = `
def _make():
    random.seed()
    def deny(*args, **named):
        raise PermissionError(1, 'Not permitted in the sandbox')
    for name in ('system', 'fork', 'forkpty', 'execv', 'execve', 'kill', 'popen', 'posix_spawn'):
        for module in (os, posix):
            if hasattr(module, name):
                setattr(module, name, deny)
    number = 0
    names = {'__name__': '__main__', '__builtins__': builtins, '__doc__': None}
    limit = 100_000

    def shown(value):
        text = repr(value)
        return text if len(text) <= limit else text[:limit] + '…'

    def described(error, file):
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename != file:
            trace = trace.tb_next
        return ''.join(traceback.TracebackException(type(error), error, trace, compact=True).format())[-20_000:]

    async def run(code):
        nonlocal number
        number += 1
        file = f'<cell {number}>'
        linecache.cache[file] = (len(code), None, code.splitlines(True), file)
        try:
            value = await eval_code_async(code, names, filename=file)
            if value is not None:
                names['_'] = value
                print(shown(value))
            return 'ok'
        except SystemExit as error:
            if error.code not in (None, 0):
                print(f'SystemExit: {error.code}', file=sys.stderr)
            return 'ok' if error.code in (None, 0) else 'error'
        except KeyboardInterrupt:
            return 'timeout'
        except BaseException as error:
            print(described(error, file), file=sys.stderr, end='')
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
        return [name for name in wanted if not is_there(name)]

    return run, missing

_run, _missing = _make()
del _make
`;

/** Takes away what leads from Python to JavaScript by its front doors. What holds is the process around it. */
export const doors = `
import _pyodide._importhook as _hook
for _name in ('js', 'pyodide_js', 'pyodide_js._api'):
    sys.modules.pop(_name, None)
_hook.jsfinder.jsproxies.clear()
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != 'JsFinder']
for _name in ('ctypes', '_ctypes', 'js', 'pyodide_js', '_pyodide_core', 'pyodide.http'):
    sys.modules[_name] = None
os.environ.pop('_', None)
del _hook, _name
`;
