import type { ServerResponse } from 'node:http';
import { type EchoServer, type HeardRequest, startEchoServer } from './echo-server.ts';

/** What words mean the same, in this small world; each group is a direction of its own. */
const meanings = [/refund|money back|退款|退钱/i, /cat|kitten|feline|猫/i, /weather|rain|sunny|天气/i];

/** A vector that points where the words of a text mean. */
const vectorOf = (text: string) => [...meanings.map((pattern) => (pattern.test(text) ? 1 : 0)), 0.1];

/** A server that embeds texts. */
export interface EmbeddingServer extends AsyncDisposable {
  url: string;
  /** The texts of each call, in order. */
  readonly calls: string[][];
  readonly heard: HeardRequest[];
  /** Answers all that comes from now on like that; null: as it should. */
  answers(instead: ((response: ServerResponse) => void) | null): void;
  /** Hands each later request to `take`, which decides when it is answered; null: answers at once. */
  hold(take: ((answer: () => void) => void) | null): void;
}

/** Starts a server on loopback that embeds as OpenAI does, and as DashScope does. */
export async function startEmbeddingServer(): Promise<EmbeddingServer> {
  const calls: string[][] = [];
  let instead: ((response: ServerResponse) => void) | null = null;
  let take: ((answer: () => void) => void) | null = null;
  const server: EchoServer = await startEchoServer(({ url, body }, response) => {
    const request = JSON.parse(body || '{}');
    const texts: string[] = request.input?.texts ?? request.input ?? [];
    calls.push(texts);
    if (instead) return instead(response);
    const tokens = texts.join(' ').split(/\s+/).length;
    const isDashscope = url.includes('/services/embeddings/');
    const embeddings = texts.map((text, index) => ({ index, text_index: index, embedding: vectorOf(text) }));
    response.setHeader('content-type', 'application/json');
    const answer = JSON.stringify(
      isDashscope
        ? { output: { embeddings }, usage: { total_tokens: tokens } }
        : { data: embeddings, usage: { prompt_tokens: tokens, total_tokens: tokens } },
    );
    if (take) take(() => void response.end(answer));
    else response.end(answer);
  });
  return {
    url: server.url,
    calls,
    heard: server.heard,
    answers: (how) => {
      instead = how;
    },
    hold: (next) => {
      take = next;
    },
    [Symbol.asyncDispose]: server.close,
  };
}
