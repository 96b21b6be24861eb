import type { LanguageModelV4FinishReason, LanguageModelV4StreamPart, LanguageModelV4Usage } from '@ai-sdk/provider';
import { toolLimits } from '../domain/limits.ts';
import type { ThreadChange } from '../domain/log/thread-change.ts';
import { closeOpenStep } from '../domain/run/close-step.ts';
import { changeRun } from '../domain/run/lease.ts';
import { type OpenStep, openStep, startMessage, startReasoning, startToolCall } from '../domain/run/step.ts';
import type { Usage } from '../domain/run/usage.ts';
import { TextRoom } from './answer-limits.ts';
import { contentParts } from './call-model.ts';
import { engineLimits } from './limits.ts';
import type { RunExecution } from './run-execution.ts';

/** A call as the model streamed it. */
export interface ModelCall {
  /** The id of its row. */
  id: string;
  name: string;
  /** The text of the arguments, unchecked. */
  arguments: string;
}

/** The characters of a provider's id of a call that do not count as arguments. */
const idLength = 200;

/** The limit that an answer has reached. */
export type AnswerLimit = 'ANSWER_TOO_LONG' | 'ARGUMENTS_TOO_LONG';

/** The result of one answer of the model. */
export interface Turn {
  calls: ModelCall[];
  /** The number of calls beyond the limit, which are not made. */
  surplusCalls: number;
  /** The limit of bytes that the answer has reached; null: none. The texts up to it are kept. */
  limit: AnswerLimit | null;
  finish: LanguageModelV4FinishReason['unified'];
  /** null: the provider reported none. */
  usage: Usage | null;
  /** The text of the answer's last message. */
  text: string;
  /** The time from the first content part to the end of the answer, in milliseconds. */
  generationMs: number;
}

/** Turns the parts that a model streams into steps, messages, calls and growing texts of its run. */
export class TurnWriter {
  readonly #execution: RunExecution;
  readonly #calls = new Map<string, ModelCall>();
  /** The provider's ids of the calls beyond the limit. */
  readonly #surplus = new Set<string>();
  readonly #textRoom: TextRoom;
  readonly #reasoningRoom: TextRoom;
  readonly #argumentRoom: TextRoom;
  #steps: number;
  #step: OpenStep | null = null;
  #messageId: string | null = null;
  #isReasoning = false;
  #isTextDropped = false;
  #text = '';
  #firstAt: number | null = null;
  #hasAnswered = false;
  #turn: Pick<Turn, 'finish' | 'usage'> = { finish: 'other', usage: null };

  /** `steps`: the number of steps that the run already has. */
  constructor(execution: RunExecution, steps: number) {
    const { textBytes, argumentBytes } = execution.answer;
    this.#execution = execution;
    this.#steps = steps;
    this.#textRoom = new TextRoom(textBytes);
    this.#reasoningRoom = new TextRoom(textBytes);
    this.#argumentRoom = new TextRoom(argumentBytes);
  }

  /** Processes the next part. Resolves when the writer is ready for another one. */
  async onPart(part: LanguageModelV4StreamPart): Promise<void> {
    if (contentParts.has(part.type)) this.#firstAt ??= performance.now();
    if (part.type === 'text-delta') return this.#onText(part.delta);
    if (part.type === 'reasoning-delta') return this.#onReasoning(part.delta);
    if (part.type === 'tool-input-start') return this.#startCall(part.id, part.toolName);
    if (part.type === 'tool-input-delta') return this.#onArguments(part.id, part.delta);
    if (part.type === 'tool-call') return this.#onCall(part.toolCallId, part.toolName, part.input);
    if (part.type === 'finish') this.#turn = { finish: part.finishReason.unified, usage: usageFrom(part.usage) };
  }

  /** Whether the rest of the answer must not be read: it has reached a limit. */
  get isOver(): boolean {
    return this.#limit !== null || this.#surplus.size >= engineLimits.surplusCalls;
  }

  get #limit(): AnswerLimit | null {
    if (this.#textRoom.isExceeded || this.#reasoningRoom.isExceeded) return 'ANSWER_TOO_LONG';
    return this.#argumentRoom.isExceeded ? 'ARGUMENTS_TOO_LONG' : null;
  }

  /** The open step; null: no step is open. */
  get step(): OpenStep | null {
    return this.#step;
  }

  /** The number of steps of the run. */
  get steps(): number {
    return this.#steps;
  }

  #nextIndex(): number {
    this.#steps += 1;
    return this.#steps - 1;
  }

  /** The result, after the last part. */
  turn(): Turn {
    const generationMs = this.#firstAt === null ? 0 : performance.now() - this.#firstAt;
    const calls = [...this.#calls.values()];
    return {
      ...{ ...this.#turn, text: this.#text, generationMs, calls },
      ...{ surplusCalls: this.#surplus.size, limit: this.#limit },
    };
  }

  async #onText(added: string): Promise<void> {
    const text = this.#textRoom.take(added);
    if (text === '') return;
    const { ctx, run, writer } = this.#execution;
    if (this.#calls.size > 0) {
      if (!this.#isTextDropped) ctx.log.warn({ runId: run.id }, 'text after tool calls dropped');
      this.#isTextDropped = true;
      return;
    }
    if (this.#messageId === null) {
      await this.#endReasoning();
      const at = this.#step ?? this.#nextIndex();
      const step = await this.#change(async (change) => startMessage(ctx, change, run, at));
      this.#step = step;
      this.#messageId = step.messageId;
    }
    this.#text += text;
    writer.append(this.#messageId, 'TEXT', text);
  }

  async #onReasoning(added: string): Promise<void> {
    const text = this.#reasoningRoom.take(added);
    if (text === '') return;
    const { ctx, run, writer } = this.#execution;
    if (!this.#isReasoning) {
      await this.#change(async (change) => {
        this.#step ??= openStep(ctx, change, run.id, this.#nextIndex());
        startReasoning(change, this.#step);
      });
      this.#isReasoning = true;
    }
    writer.append((this.#step as OpenStep).id, 'REASONING', text);
  }

  /** Stores the reasoning before the message or call that follows it begins: subscribers receive them in this order. */
  async #endReasoning(): Promise<void> {
    if (this.#isReasoning) await this.#execution.writer.drain({ store: true });
  }

  async #startCall(providerId: string, givenName: string): Promise<void> {
    if (this.#calls.has(providerId) || this.#surplus.has(providerId)) return;
    // What is longer than any id or name counts as arguments.
    this.#argumentRoom.take(`${providerId.slice(idLength)}${givenName.slice(toolLimits.functionName)}`);
    if (this.#calls.size >= this.#execution.answer.toolCalls) {
      this.#surplus.add(providerId);
      return;
    }
    // No tool has a longer name.
    const name = givenName.slice(0, toolLimits.functionName);
    if (this.#messageId) await this.#endMessage();
    else if (this.#calls.size === 0) await this.#endReasoning();
    const { ctx, run, toolbox } = this.#execution;
    const call = await this.#change(async (change) => {
      this.#step ??= openStep(ctx, change, run.id, this.#nextIndex());
      const started = startToolCall(ctx, change, this.#step, name, toolbox.reference(name));
      this.#step.toolCalls.push(started);
      return started;
    });
    this.#calls.set(providerId, { id: call.id, name, arguments: '' });
  }

  #onArguments(providerId: string, added: string): void {
    const text = this.#argumentRoom.take(added);
    const call = this.#calls.get(providerId);
    if (!call || text === '') return;
    call.arguments += text;
    this.#execution.writer.append(call.id, 'ARGUMENTS', text);
  }

  /** The complete call. Providers that do not stream arguments send nothing else. */
  async #onCall(providerId: string, name: string, input: string): Promise<void> {
    const isNew = !this.#surplus.has(providerId);
    await this.#startCall(providerId, name);
    const call = this.#calls.get(providerId);
    if (call ? call.arguments === '' : isNew) this.#onArguments(providerId, input);
  }

  /** Ends a message that calls follow: the message is a step, and the calls are the next one. */
  async #endMessage(): Promise<void> {
    const { run, writer } = this.#execution;
    await writer.drain({ store: false });
    const outcome = { status: 'COMPLETED', incompleteReason: null } as const;
    await this.#change((change) => closeOpenStep(change, run.id, outcome, writer.texts()));
    writer.reset();
    this.#step = null;
    this.#text = '';
    this.#messageId = null;
    this.#isReasoning = false;
  }

  #change<T>(work: (change: ThreadChange) => Promise<T>): Promise<T> {
    const { ctx, run } = this.#execution;
    const isAnswer = !this.#hasAnswered;
    this.#hasAnswered = true;
    const [step, steps] = [this.#step, this.#steps];
    const begin = (change: ThreadChange) => {
      // A try that the database has lost leaves no trace in the step.
      this.#step = step && { ...step, toolCalls: [...step.toolCalls] };
      this.#steps = steps;
      return work(change);
    };
    return changeRun(ctx, run, begin, { isAnswer });
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

/** A token count as reported by a provider, forced into a range that can be stored and summed. */
const countOf = (tokens = 0): number => Math.round(Math.min(Math.max(tokens, 0), 100_000_000)) || 0;
