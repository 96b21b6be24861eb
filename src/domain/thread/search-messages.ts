import { z } from 'zod';
import { MessageRole, type Prisma } from '../../db/generated/client.ts';
import { inThreadsVisibleTo } from '../access/scope.ts';
import type { DomainContext } from '../context.ts';
import { absentOr, nameUpTo, parse, searchIn, textUpTo } from '../input.ts';
import { messageLimits, threadLimits } from '../limits.ts';

const searchInput = z.object({
  query: nameUpTo(messageLimits.search),
  filter: absentOr(
    z.object({
      threadId: absentOr(z.string()),
      owner: absentOr(textUpTo(threadLimits.owner)),
      role: absentOr(z.enum(MessageRole)),
      createdAfter: absentOr(z.date()),
      createdBefore: absentOr(z.date()),
    }),
  ),
});

/** What to search for: the words, each of which a message contains, and the `where` of these messages. */
export interface MessageSearch {
  words: string[];
  where: Prisma.MessageWhereInput;
}

/** Parses a search. Throws InvalidInputError for a query that is empty or too long. */
export function messageSearch(ctx: DomainContext, input: unknown): MessageSearch {
  const { query, filter = {} } = parse(searchInput, input);
  const { threadId, owner, role, createdAfter, createdBefore } = filter;
  const words = [...new Set(query.trim().split(/\s+/u))].slice(0, messageLimits.searchWords);
  const where = {
    AND: [
      inThreadsVisibleTo(ctx.actor),
      { threadId, role, createdAt: { gt: createdAfter, lt: createdBefore } },
      ...(owner === undefined ? [] : [{ thread: { owner } }]),
      ...words.flatMap((word) => searchIn(['text'], word)),
    ],
  };
  return { words, where };
}

/** A range of a text, in UTF-16 code units. */
export interface TextRange {
  startIndex: number;
  endIndex: number;
}

/** The part of a message around the first word of a search, and where the words are in it. */
export interface Snippet {
  text: string;
  ranges: TextRange[];
}

/** The characters of a snippet, and of those before the first word. */
const snippetLength = 240;
const before = 80;

/** Reads the snippets of messages that a search has found, by the ID of the message, with one statement. */
export async function readSnippets(
  ctx: DomainContext,
  words: readonly string[],
  ids: readonly string[],
): Promise<Map<string, Snippet>> {
  const [first = ''] = words;
  const rows = await ctx.db.$queryRaw<Array<{ id: string; text: string }>>`
    SELECT "id", substring("text" FROM greatest(strpos(lower("text"), lower(${first})) - ${before}, 1)::int FOR ${snippetLength}) AS "text"
    FROM "Message" WHERE "workspaceId" = ${ctx.workspaceId} AND "id" = ANY(${ids}::text[])`;
  return new Map(rows.map(({ id, text }) => [id, { text, ranges: rangesOf(text, words) }]));
}

/** The ranges of a text that contain one of the words, in order, without overlaps. */
function rangesOf(text: string, words: readonly string[]): TextRange[] {
  const lower = text.toLowerCase();
  // A few letters have a longer lower case: then only words in the same case are found.
  const folded = lower.length === text.length ? lower : text;
  const found: TextRange[] = [];
  for (const word of words) {
    const wanted = folded === text ? word : word.toLowerCase();
    for (let at = folded.indexOf(wanted); at >= 0; at = folded.indexOf(wanted, at + wanted.length)) {
      found.push({ startIndex: at, endIndex: at + wanted.length });
    }
  }
  const merged: TextRange[] = [];
  for (const range of found.sort((a, b) => a.startIndex - b.startIndex)) {
    const last = merged.at(-1);
    if (last && range.startIndex <= last.endIndex) last.endIndex = Math.max(last.endIndex, range.endIndex);
    else merged.push({ ...range });
  }
  return merged;
}
