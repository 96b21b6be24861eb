import type { ServerResponse } from 'node:http';
import { type EchoServer, type HeardRequest, startEchoServer } from './echo-server.ts';

/** Groups of words with the same meaning; each group is one dimension. */
const meanings = [/refund|money back|退款|退钱/i, /cat|kitten|feline|猫/i, /weather|rain|sunny|天气/i];

/** The embedding of a text: one dimension for each meaning that it contains. */
const vectorOf = (text: string) => [...meanings.map((pattern) => (pattern.test(text) ? 1 : 0)), 0.1];

/** A server that embeds texts. */
export interface EmbeddingServer extends AsyncDisposable {
  url: string;
  /** The texts of each call, in order. */
  readonly calls: string[][];
  readonly heard: HeardRequest[];
  /** Replaces the response to all further requests; null restores the normal one. */
  answers(instead: ((response: ServerResponse) => void) | null): void;
  /** Passes each further response to `take`, which sends it later; null sends immediately. */
  hold(take: ((answer: () => void) => void) | null): void;
}

/** Starts an embedding server on loopback with the APIs of OpenAI and DashScope. */
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
