import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { all, joined } from '../support/client.ts';
import { upload } from '../support/upload.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startTestApp({ PYTHON_READY: '1', PYTHON_SANDBOXES: '3' });
});
afterAll(() => app.stop());

const python = (code: string) => `\`\`\`python\n${code}\n\`\`\``;
const selection = `status steps { nodes { type status toolCalls { __typename status error { code message }
  ... on CodeInterpreterToolCall { code logs files { id name sizeBytes url } } } } }
  messages { nodes { content { __typename ... on TextContent { text annotations { __typename text startIndex endIndex ... on FilePath { file { id name } } } } } } }`;

async function run(code: string, input: object = {}, timeoutSeconds = 20) {
  const started = await app.client.ask(python(code), { tools: [{ codeInterpreter: { timeoutSeconds } }], ...input });
  const finished = await app.client.finished(started.id, selection);
  return { ...finished, id: started.id, threadId: started.thread.id, call: finished.steps.nodes[0].toolCalls[0] };
}

/** Runs another program on the thread of a run. */
const again = (threadId: string, code: string, timeoutSeconds?: number) =>
  run(code, { threadId, thread: undefined, messages: [{ text: python(code) }] }, timeoutSeconds);

let sharedThreadId: string | null = null;
/** Runs a program on the thread of those cases that do not need a new interpreter, which takes seconds to start. */
async function runShared(code: string, timeoutSeconds?: number) {
  const result = sharedThreadId
    ? await again(sharedThreadId, code, timeoutSeconds)
    : await run(code, {}, timeoutSeconds);
  sharedThreadId = result.threadId;
  return result;
}

describe('Python', () => {
  test('is run, and its output and last value are in the step and in the prompt', async () => {
    const { status, call, steps, messages } = await runShared('print("你好 🙂")\n6 * 7');
    expect(status).toBe('COMPLETED');
    expect(steps.nodes.map(({ type }: { type: string }) => type)).toEqual(['TOOL_CALLS', 'MESSAGE_CREATION']);
    expect(call).toMatchObject({
      __typename: 'CodeInterpreterToolCall',
      status: 'COMPLETED',
      error: null,
      code: 'print("你好 🙂")\n6 * 7',
      logs: '你好 🙂\n42\n',
    });
    expect(messages.nodes[0].content[0].text).toBe('code_interpreter answered: 你好 🙂\n42\n');
  });

  test('streams its output in deltas, which joined are the output of the step', async () => {
    const code = 'import time\nfor n in range(5):\n    print("line", n)\n    time.sleep(0.15)';
    const started = await app.client.ask(python(code), { tools: [{ codeInterpreter: {} }] });
    const events = await all(app.client.follow(started.id));
    const deltas = events.flatMap(({ toolCall }) => toolCall?.output ?? []);
    expect(deltas.length).toBeGreaterThan(1);
    expect(deltas.join('')).toBe('line 0\nline 1\nline 2\nline 3\nline 4\n');
    expect(events.find(({ toolCall }) => toolCall)?.toolCall).toMatchObject({ kind: 'CODE_INTERPRETER' });
    expect(joined(events)).toContain('line 4');
  });

  test('keeps its variables and files for its thread and for no other', async () => {
    const first = await run('secret = 41\nopen("note.txt", "w").write("kept")');
    const second = await again(first.threadId, 'print(secret + 1, open("/mnt/data/note.txt").read())');
    expect(second.call.logs).toBe('42 kept\n');
    const other = await run('import os\nprint(os.listdir("/mnt/data"))\nsecret');
    expect(other.call.logs).toContain('[]\n');
    expect(other.call.logs).toContain("NameError: name 'secret' is not defined");
  });

  test('gives the user the files that it writes, and the answer refers to them', async () => {
    const { call, messages } = await runShared('open("表.csv", "w").write("a,b\\n1,2\\n")');
    expect(call.files).toMatchObject([{ name: '表.csv', sizeBytes: 8 }]);
    expect(await (await fetch(call.files[0].url)).text()).toBe('a,b\n1,2\n');
    const [{ text, annotations }] = messages.nodes[0].content;
    expect(annotations).toMatchObject([
      { __typename: 'FilePath', text: 'sandbox:/mnt/data/表.csv', file: { name: '表.csv' } },
    ]);
    expect(text.slice(annotations[0].startIndex, annotations[0].endIndex)).toBe(annotations[0].text);
  });

  test('finds the files of its thread and of its assistant', async () => {
    const [one, two, three] = await Promise.all(
      ['one', 'two', 'three'].map((name) => upload(app.client, `content of ${name}`, `${name}.txt`)),
    );
    const assistant = await app.client.createAssistant({ tools: [{ codeInterpreter: {} }], fileIds: [three?.id] });
    const code = 'import os\nfor n in sorted(os.listdir("/mnt/data")): print(n, open(n).read())';
    const { call } = await run(code, {
      assistantId: assistant.id,
      tools: undefined,
      thread: { fileIds: [one?.id], messages: [{ text: python(code), fileIds: [two?.id] }] },
    });
    expect(call.logs).toBe('one.txt content of one\nthree.txt content of three\ntwo.txt content of two\n');
    expect(call.files).toEqual([]);
  });

  test('reports an error with a traceback of the program only, and continues', async () => {
    const { call, status } = await runShared('x = 1\ndef f():\n    return 1 / 0\nf()');
    expect(status).toBe('COMPLETED');
    expect(call).toMatchObject({ status: 'COMPLETED', error: null });
    expect(call.logs).toMatch(
      /^Traceback .*\n {2}File "<cell \d+>", line 4[\s\S]*ZeroDivisionError: division by zero\n$/,
    );
    expect((await runShared('x')).call.logs).toBe('1\n');
  });

  test('reports that a package is not installed, and which packages are', async () => {
    const { call } = await runShared('import numpy');
    expect(call.logs).toContain("ModuleNotFoundError: No module named 'numpy'");
    expect(call.logs).toContain('[Not installed here: numpy. This interpreter has only the standard library');
  });

  test('is stopped after its time limit and keeps its variables', async () => {
    const { call, status } = await runShared('x = 5\nprint("begun")\nwhile True: pass', 1);
    expect(status).toBe('COMPLETED');
    expect(call).toMatchObject({ status: 'FAILED', logs: 'begun\n', error: { code: 'timeout' } });
    expect((await runShared('x')).call.logs).toBe('5\n');
  });

  test('that ignores its time limit is killed; its variables are lost and its files are restored', async () => {
    const { call, threadId } = await run('x = 5\nopen("a.txt", "w").write("kept")');
    expect(call.files).toHaveLength(1);
    const code = 'while True:\n    try:\n        while True: pass\n    except BaseException: pass';
    const stubborn = await again(threadId, code, 1);
    expect(stubborn.call.error).toMatchObject({
      code: 'timeout',
      message: expect.stringContaining('Its variables are lost'),
    });
    const { call: after } = await again(threadId, 'print(open("a.txt").read())\nx');
    expect(after.logs).toMatch(/^kept\n[\s\S]*NameError/);
  });

  test('is stopped when its run is cancelled, and its output is kept', async () => {
    const started = await app.client.ask(python('print("begun")\nwhile True: pass'), {
      tools: [{ codeInterpreter: { timeoutSeconds: 300 } }],
    });
    for await (const event of app.client.follow(started.id)) {
      if (event.toolCall?.output) await app.client.mutate('cancelRun', { id: started.id }, 'run { id }');
    }
    const { status, steps } = await app.client.finished(started.id, selection);
    expect(status).toBe('CANCELLED');
    expect(steps.nodes[0]).toMatchObject({
      status: 'CANCELLED',
      toolCalls: [{ status: 'CANCELLED', logs: 'begun\n' }],
    });
  });

  test('waits while all interpreters are busy', async () => {
    const runs = Array.from({ length: 4 }, (_, index) => run(`import time\ntime.sleep(0.3)\n${index}`));
    const logs = (await Promise.all(runs)).map(({ call }) => call.logs);
    expect(logs).toEqual(['0\n', '1\n', '2\n', '3\n']);
  });
});
