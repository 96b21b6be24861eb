import type {
  LanguageModelV4CallOptions,
  LanguageModelV4FinishReason,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
} from '@ai-sdk/provider';
import type { Run } from '../db/generated/client.ts';
import type { DomainContext } from '../domain/context.ts';
import type { ThreadChange } from '../domain/log/thread-change.ts';
import { closeOpenStep } from '../domain/run/close-step.ts';
import type { ResponseFormat, ToolChoice } from '../domain/run/generation.ts';
import { changeRun } from '../domain/run/lease.ts';
import { type OpenStep, openStep, startMessage, startReasoning, startToolCall } from '../domain/run/step.ts';
import type { Usage } from '../domain/run/usage.ts';
import type { RunWriter } from './delta-writer.ts';
import type { Toolbox } from './toolbox.ts';

/** A call as the model made it. */
export interface ModelCall {
  id: string;
  name: string;
  arguments: string;
}

/** What came of one answer of the model. */
export interface Turn {
  calls: ModelCall[];
  finish: LanguageModelV4FinishReason['unified'];
  /** null: the provider did not say. */
  usage: Usage | null;
  /** All of the answer's text. */
  text: string;
  /** How long the answer took, from its first part to its last, in milliseconds. */
  generationMs: number;
}

/** What a run asks of its model, but for the prompt. */
export function callOptions(
  { models }: DomainContext,
  run: Run,
  toolbox: Toolbox,
  usedTokens: number,
): Omit<LanguageModelV4CallOptions, 'prompt'> {
  const tools = toolbox.forModel;
  const format = run.responseFormat as ResponseFormat | null;
  return {
    temperature: run.temperature ?? undefined,
    topP: run.topP ?? undefined,
    maxOutputTokens: run.maxCompletionTokens === null ? undefined : run.maxCompletionTokens - usedTokens,
    responseFormat: responseFormatFor(format),
    providerOptions: models.providerOptions(run.model, {
      oneCallAtATime: tools.length > 0 && !run.parallelToolCalls,
      strictSchema: format?.type === 'json_schema' ? (format.json_schema.strict ?? false) : null,
    }),
    ...(tools.length > 0 ? { tools, toolChoice: toolChoiceFor(run.toolChoice as ToolChoice | null) } : {}),
  };
}

function toolChoiceFor(choice: ToolChoice | null): LanguageModelV4CallOptions['toolChoice'] {
  if (choice === null) return { type: 'auto' };
  return typeof choice === 'string' ? { type: choice } : { type: 'tool', toolName: choice.function.name };
}

function responseFormatFor(format: ResponseFormat | null): LanguageModelV4CallOptions['responseFormat'] {
  if (format === null || format.type === 'text') return undefined;
  if (format.type === 'json_object') return { type: 'json' };
  const { name, description, schema } = format.json_schema;
  return { type: 'json', name, description, schema };
}

/** The parts that something of the answer comes with. */
const answering = new Set<LanguageModelV4StreamPart['type']>([
  'text-delta',
  'reasoning-delta',
  'tool-input-start',
  'tool-call',
]);

/** Turns the parts that a model streams into steps, messages, calls and growing texts of its run. */
export class TurnWriter {
  readonly #ctx: DomainContext;
  readonly #run: Run;
  readonly #writer: RunWriter;
  readonly #toolbox: Toolbox;
  readonly #calls = new Map<string, ModelCall>();
  #steps: number;
  #step: OpenStep | null = null;
  #messageId: string | null = null;
  #isReasoning = false;
  #text = '';
  #firstAt: number | null = null;
  #hasAnswered = false;
  #turn: Pick<Turn, 'finish' | 'usage'> = { finish: 'other', usage: null };

  /** `steps`: how many the run has. */
  constructor(ctx: DomainContext, run: Run, writer: RunWriter, toolbox: Toolbox, steps: number) {
    this.#ctx = ctx;
    this.#steps = steps;
    this.#run = run;
    this.#writer = writer;
    this.#toolbox = toolbox;
  }

  /** Takes the next part; resolves when the next one may come. */
  async onPart(part: LanguageModelV4StreamPart): Promise<void> {
    if (answering.has(part.type)) this.#firstAt ??= performance.now();
    if (part.type === 'text-delta') return this.#onText(part.delta);
    if (part.type === 'reasoning-delta') return this.#onReasoning(part.delta);
    if (part.type === 'tool-input-start') return this.#startCall(part.id, part.toolName);
    if (part.type === 'tool-input-delta') return this.#onArguments(part.id, part.delta);
    if (part.type === 'tool-call') return this.#onCall(part.toolCallId, part.toolName, part.input);
    if (part.type === 'finish') this.#turn = { finish: part.finishReason.unified, usage: usageFrom(part.usage) };
  }

  /** The step that is open; null: none. */
  get step(): OpenStep | null {
    return this.#step;
  }

  /** How many steps the run has now. */
  get steps(): number {
    return this.#steps;
  }

  #nextIndex(): number {
    this.#steps += 1;
    return this.#steps - 1;
  }

  /** What came of it all, after the last part. */
  turn(): Turn {
    const generationMs = this.#firstAt === null ? 0 : performance.now() - this.#firstAt;
    return { ...this.#turn, text: this.#text, generationMs, calls: [...this.#calls.values()] };
  }

  async #onText(text: string): Promise<void> {
    if (text === '') return;
    if (this.#calls.size > 0) {
      this.#ctx.log.warn({ runId: this.#run.id }, 'the model wrote text behind its calls; it is left out');
      return;
    }
    if (this.#messageId === null) {
      await this.#endReasoning();
      const at = this.#step ?? this.#nextIndex();
      const step = await this.#change(async (change) => startMessage(this.#ctx, change, this.#run, at));
      this.#step = step;
      this.#messageId = step.messageId;
    }
    this.#text += text;
    this.#writer.append(this.#messageId, 'TEXT', text);
  }

  async #onReasoning(text: string): Promise<void> {
    if (text === '') return;
    if (!this.#isReasoning) {
      await this.#change(async (change) => {
        this.#step ??= openStep(this.#ctx, change, this.#run.id, this.#nextIndex());
        startReasoning(change, this.#step);
      });
      this.#isReasoning = true;
    }
    this.#writer.append((this.#step as OpenStep).id, 'REASONING', text);
  }

  /** What the model thought is stored before what it then does begins: followers are told in that order. */
  async #endReasoning(): Promise<void> {
    if (this.#isReasoning) await this.#writer.drain({ store: true });
  }

  async #startCall(providerId: string, name: string): Promise<void> {
    if (this.#calls.has(providerId)) return;
    if (this.#messageId) await this.#endMessage();
    else if (this.#calls.size === 0) await this.#endReasoning();
    const call = await this.#change(async (change) => {
      this.#step ??= openStep(this.#ctx, change, this.#run.id, this.#nextIndex());
      const started = startToolCall(this.#ctx, change, this.#step, name, this.#toolbox.reference(name));
      this.#step.toolCalls.push(started);
      return started;
    });
    this.#calls.set(providerId, { id: call.id, name, arguments: '' });
  }

  #onArguments(providerId: string, text: string): void {
    const call = this.#calls.get(providerId);
    if (!call || text === '') return;
    call.arguments += text;
    this.#writer.append(call.id, 'ARGUMENTS', text);
  }

  /** The whole call: all there is from providers that do not stream arguments. */
  async #onCall(providerId: string, name: string, input: string): Promise<void> {
    await this.#startCall(providerId, name);
    if (this.#calls.get(providerId)?.arguments === '') this.#onArguments(providerId, input);
  }

  /** The model wrote first and calls now: what it wrote is a step of its own. */
  async #endMessage(): Promise<void> {
    await this.#writer.drain({ store: false });
    const texts = this.#writer.texts();
    await this.#change((change) =>
      closeOpenStep(change, this.#run.id, { status: 'COMPLETED', incompleteReason: null }, texts),
    );
    this.#step = null;
    this.#text = '';
    this.#messageId = null;
    this.#isReasoning = false;
  }

  #change<T>(work: (change: ThreadChange) => Promise<T>): Promise<T> {
    const isFirst = this.#run.firstTokenAt === null && !this.#hasAnswered;
    this.#hasAnswered = true;
    return changeRun(this.#ctx, this.#run, work, isFirst ? { firstTokenAt: new Date() } : undefined);
  }
}

function usageFrom({ inputTokens, outputTokens }: LanguageModelV4Usage): Usage | null {
  if (inputTokens.total === undefined && outputTokens.total === undefined) return null;
  return {
    promptTokens: countOf(inputTokens.total),
    completionTokens: countOf(outputTokens.total),
    reasoningTokens: countOf(outputTokens.reasoning),
    cachedTokens: countOf(inputTokens.cacheRead),
  };
}

/** Whatever a server calls a number of tokens, as one that can be stored and added to others. */
const countOf = (tokens = 0): number => Math.round(Math.min(Math.max(tokens, 0), 100_000_000)) || 0;
