import type { Transaction } from '../../db/client.ts';

/** An annotation of a range of a message's text, as stored. Indexes are UTF-16 code units; the end is exclusive. */
export type Annotation = { startIndex: number; endIndex: number; text: string; fileId: string } & (
  | { type: 'path' }
  | { type: 'citation'; quote: string; score: number }
);

/** The results of a run's tools that its messages can refer to. */
interface Sources {
  /** The IDs of the files that calls wrote, by name; the newest of each name. */
  files: Map<string, string>;
  /** The passages that searches found, by their citation marks. */
  passages: Map<string, { fileId: string; quote: string; score: number }>;
  /** The images that were generated. */
  images: Array<{ id: string; toolCallId: string | null }>;
}

const paths = /(?:sandbox:)?\/mnt\/data\/([^\s"'<>()[\]`*]{1,300})/g;
const stops = new Set('.,;:!?。，；：！？、');
const marks = /【\d+:\d+】/g;

/** The citation mark of a passage: the number of the search within its run and the rank of the passage, both from 1. */
export const markOf = (search: number, rank: number): string => `【${search}:${rank}】`;

/** Reads the results of a run's tools that its messages can refer to. */
export async function readSources(tx: Transaction, runId: string): Promise<Sources> {
  const calls = await tx.toolCall.findMany({
    where: { step: { runId }, kind: { in: ['CODE_INTERPRETER', 'TEXT_TO_IMAGE', 'FILE_SEARCH'] } },
    orderBy: [{ step: { index: 'asc' } }, { index: 'asc' }],
    select: {
      kind: true,
      files: { select: { id: true, name: true, toolCallId: true }, orderBy: { id: 'asc' } },
      searchResults: { select: { rank: true, score: true, fileId: true, passage: { select: { text: true } } } },
    },
  });
  const filesOf = (kind: string) => calls.filter((call) => call.kind === kind).flatMap(({ files }) => files);
  const searches = calls.filter(({ kind }) => kind === 'FILE_SEARCH');
  const passages = searches.flatMap(({ searchResults }, index) =>
    searchResults.map(({ rank, fileId, score, passage }) => {
      return [markOf(index + 1, rank), { fileId, quote: passage.text, score }] as const;
    }),
  );
  return {
    files: new Map(filesOf('CODE_INTERPRETER').map(({ name, id }) => [name, id])),
    passages: new Map(passages),
    images: filesOf('TEXT_TO_IMAGE'),
  };
}

/** The annotations of a model's text: the files and passages that it refers to, in the order of the text. */
export function annotationsOf(text: string, { files, passages }: Sources): Annotation[] {
  const annotations: Annotation[] = [];
  for (const { 0: path, 1: rest = '', index } of text.matchAll(paths)) {
    // Punctuation after a path is not part of it.
    const name = [rest, withoutStops(rest), decoded(rest)].find((one) => files.has(one));
    if (name === undefined) continue;
    const length = path.length - rest.length + (name === decoded(rest) ? rest.length : name.length);
    annotations.push({ type: 'path', ...at(text, index, length), fileId: files.get(name) as string });
  }
  for (const { 0: mark, index } of text.matchAll(marks)) {
    const passage = passages.get(mark);
    if (passage) annotations.push({ type: 'citation', ...at(text, index, mark.length), ...passage });
  }
  return annotations.sort((one, other) => one.startIndex - other.startIndex);
}

function withoutStops(text: string): string {
  let end = text.length;
  while (end > 0 && stops.has(text[end - 1] as string)) end -= 1;
  return text.slice(0, end);
}

const at = (text: string, startIndex: number, length: number) => {
  const endIndex = startIndex + length;
  return { startIndex, endIndex, text: text.slice(startIndex, endIndex) };
};

/** A percent-decoded name; the text itself when it is malformed. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
