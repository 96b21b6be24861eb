import { ReadableStream } from 'node:stream/web';
import { setTimeout as delay } from 'node:timers/promises';
import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4FunctionTool,
  LanguageModelV4GenerateResult,
  LanguageModelV4Message,
  LanguageModelV4StreamPart,
  LanguageModelV4StreamResult,
} from '@ai-sdk/provider';
import { reportOf, requestedArguments } from './demo-tools.ts';
import type { ModelInfo } from './model-catalog.ts';
import { allVariables } from './vendors.ts';

/** The demo in the catalog. It costs nothing and has no price. */
export const demoModelInfo: ModelInfo = {
  id: 'demo',
  provider: 'demo',
  contextWindow: null,
  supportsTools: true,
  supportsImages: false,
  supportsReasoning: true,
  inputPricePerMillion: null,
  outputPricePerMillion: null,
  cachedInputPricePerMillion: null,
};

const introduction =
  'I am the demo that comes with this server: a small program, not a language model. I can greet you, repeat what you ' +
  'say ("say …"), count ("count to 20"), think aloud ("think about …"), and call the tools of my assistant: a function ' +
  'tool when you name it, and, where I have them, Python ("python: print(6 * 7)"), pictures ("draw …"), files ("search ' +
  'the files for …") and the web ("search the web for …"). Set ' +
  `${allVariables()} to talk to a real model.`;

/** The demo's answer to a prompt. */
interface Reply {
  reasoning?: string;
  text?: string;
  calls?: Array<{ tool: LanguageModelV4FunctionTool; input: string }>;
}

/** A deterministic program in place of a language model: offline and free, to explore the graph and to run examples. */
export class DemoModel implements LanguageModelV4 {
  readonly specificationVersion = 'v4';
  readonly provider = 'demo';
  readonly modelId = 'demo';
  readonly supportedUrls = {};
  readonly #delayMs: number;

  /** `delayMs`: the pause before each word, in milliseconds. */
  constructor(delayMs: number) {
    this.#delayMs = delayMs;
  }

  async doGenerate(): Promise<LanguageModelV4GenerateResult> {
    throw new Error('The demo model streams only.');
  }

  async doStream(options: LanguageModelV4CallOptions): Promise<LanguageModelV4StreamResult> {
    const parts = this.#stream(options, replyTo(options));
    return { stream: ReadableStream.from(parts) as unknown as LanguageModelV4StreamResult['stream'] };
  }

  async *#stream(options: LanguageModelV4CallOptions, reply: Reply): AsyncGenerator<LanguageModelV4StreamPart> {
    const { abortSignal, maxOutputTokens = Number.POSITIVE_INFINITY } = options;
    let words = 0;
    const pace = async () => {
      words += 1;
      if (this.#delayMs > 0) await delay(this.#delayMs, undefined, { signal: abortSignal });
      abortSignal?.throwIfAborted();
    };
    yield { type: 'stream-start', warnings: [] };
    for (const delta of wordsOf(reply.reasoning ?? '')) {
      await pace();
      yield { type: 'reasoning-delta', id: 'reasoning', delta };
    }
    const reasoning = words;
    for (const delta of wordsOf(reply.text ?? '')) {
      if (words >= maxOutputTokens) break;
      await pace();
      yield { type: 'text-delta', id: 'text', delta };
    }
    for (const [index, { tool, input }] of (reply.calls ?? []).entries()) {
      const id = `demo-${index}`;
      yield { type: 'tool-input-start', id, toolName: tool.name };
      for (const delta of input.match(/.{1,12}/gsu) ?? []) {
        await pace();
        yield { type: 'tool-input-delta', id, delta };
      }
      yield { type: 'tool-input-end', id };
      yield { type: 'tool-call', toolCallId: id, toolName: tool.name, input };
    }
    const cut = words >= maxOutputTokens;
    const unified = reply.calls?.length ? 'tool-calls' : cut ? 'length' : 'stop';
    yield { type: 'finish', finishReason: { unified, raw: unified }, usage: usageOf(options, words, reasoning) };
  }
}

/** The token usage: the demo counts words as tokens. */
function usageOf({ prompt }: LanguageModelV4CallOptions, words: number, reasoning: number) {
  const input = wordsOf(prompt.map(textOf).join(' ')).length;
  return {
    inputTokens: { total: input, noCache: input, cacheRead: 0, cacheWrite: 0 },
    outputTokens: { total: words, text: words - reasoning, reasoning },
  };
}

/** The words with the white space that follows them; a CJK character is a word. Joined, they are the text. */
function wordsOf(text: string): string[] {
  return (
    text.match(
      /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]\s*|[^\s\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]+\s*|\s+/gu,
    ) ?? []
  );
}

function textOf(message: LanguageModelV4Message): string {
  if (typeof message.content === 'string') return message.content;
  return message.content
    .map((part) => {
      if (part.type === 'text') return part.text;
      if (part.type !== 'tool-result') return '';
      return part.output.type === 'text' || part.output.type === 'error-text' ? part.output.value : '';
    })
    .join(' ');
}

function replyTo({ prompt, tools = [], toolChoice }: LanguageModelV4CallOptions): Reply {
  const last = prompt.at(-1);
  if (last?.role === 'tool') return { text: reportOn(last) };
  const message = textOf(prompt.findLast(({ role }) => role === 'user') ?? { role: 'user', content: [] }).trim();
  const callable = toolChoice?.type === 'none' ? [] : tools.filter((tool) => tool.type === 'function');
  const named = callable.filter(({ name }) =>
    toolChoice?.type === 'tool'
      ? toolChoice.toolName === name
      : mentions(message, name) || requestedArguments(name, message) !== null,
  );
  const called = named.length === 0 && toolChoice?.type === 'required' ? callable.slice(0, 1) : named;
  if (called.length > 0) {
    const inputFor = (tool: LanguageModelV4FunctionTool) =>
      requestedArguments(tool.name, message) ?? argumentsFor(tool, message);
    return { calls: called.map((tool) => ({ tool, input: inputFor(tool) })) };
  }
  return answerTo(message);
}

function answerTo(message: string): Reply {
  const think = /^(?:please )?think about (.+)$/is.exec(message);
  if (think) {
    return {
      reasoning: `The question is about ${think[1]}. I have no opinions, so I will say so.`,
      text: `I thought about ${think[1]} and came to no conclusion. ${introduction}`,
    };
  }
  const repeat = /^(?:please )?(?:say|repeat|echo)[:\s]+(.+)$/is.exec(message);
  if (repeat) return { text: repeat[1] as string };
  const count = /\bcount to (\d{1,5})\b/i.exec(message);
  if (count) return { text: Array.from({ length: Number(count[1]) }, (_, index) => index + 1).join(' ') };
  if (/^(hi|hello|hey|good (morning|evening|day))\b/i.test(message)) return { text: `Hello! ${introduction}` };
  if (/^(你好|您好|嗨)/.test(message))
    return { text: `你好！我是这个服务器自带的演示程序，不是语言模型。${introduction}` };
  if (/\b(help|what can you do|who are you)\b/i.test(message)) return { text: introduction };
  return { text: message === '' ? introduction : `You said: ${message}\n\n${introduction}` };
}

/** Whether the message contains the name of the function as a word. */
function mentions(message: string, name: string): boolean {
  return message
    .toLowerCase()
    .split(/[^\w-]+/)
    .includes(name.toLowerCase());
}

function reportOn(message: Extract<LanguageModelV4Message, { role: 'tool' }>): string {
  return message.content
    .flatMap((part) =>
      part.type === 'tool-result' ? [reportOf(part.toolName, textOf({ role: 'tool', content: [part] }))] : [],
    )
    .join('\n');
}

/** The JSON object in the message, if any, with a sample value for each required parameter that it lacks. */
function argumentsFor({ inputSchema }: LanguageModelV4FunctionTool, message: string): string {
  const given = jsonIn(message);
  const { properties = {}, required = [] } = inputSchema as {
    properties?: Record<string, unknown>;
    required?: string[];
  };
  const samples = Object.fromEntries(required.map((name) => [name, sampleOf(properties[name], name)]));
  return JSON.stringify({ ...samples, ...given });
}

function jsonIn(text: string): object | null {
  try {
    return JSON.parse(/\{.*\}/s.exec(text)?.[0] ?? 'null');
  } catch {
    return null;
  }
}

function sampleOf(schema: unknown, name: string): unknown {
  const {
    type,
    enum: values,
    default: fallback,
  } = (schema ?? {}) as { type?: string; enum?: unknown[]; default?: unknown };
  if (fallback !== undefined) return fallback;
  if (values?.length) return values[0];
  const samples: Record<string, unknown> = { number: 1, integer: 1, boolean: true, array: [], object: {} };
  return samples[type ?? 'string'] ?? name;
}
