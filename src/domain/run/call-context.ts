import { Readable } from 'node:stream';
import type { Run } from '../../db/generated/client.ts';
import { isNoRoom } from '../../files/no-room.ts';
import { TooManyBytesError } from '../../files/staging.ts';
import type { CallContext, InputFile } from '../../tools/call-context.ts';
import { ToolError } from '../../tools/tool.ts';
import type { DomainContext } from '../context.ts';
import { NoRoomError, QuotaExceededError } from '../error.ts';
import { storeFile } from '../file/file.ts';
import { runFiles } from '../file/visible-files.ts';
import { searchFiles } from '../search/file-search.ts';
import { markOf } from '../thread/annotation.ts';
import { userTokenOf } from '../tool/plugin-token.ts';

/** The context of a tool call: access to the files of its run, and the output of the call. */
export function callContext(
  ctx: DomainContext,
  run: Run,
  callId: string,
  write: (text: string) => void,
  signal: AbortSignal,
): CallContext {
  const { workspaceId, files, staging } = ctx;
  return {
    workspaceId,
    threadId: run.threadId,
    slotOwner: run.slotOwner,
    callId,
    signal,
    write,
    inputFiles: () => ctx.db.file.findMany({ where: runFiles(run), orderBy: [{ createdAt: 'asc' }, { id: 'asc' }] }),
    readFile: async ({ id }) => {
      const file = await ctx.db.file.findFirst({ where: { AND: [{ id }, runFiles(run)] } });
      return file ? files.read(workspaceId, file.blobKey) : Readable.from([]);
    },
    saveFile: async (name, mimeType, bytes) => {
      signal.throwIfAborted();
      return saveFile(ctx, run, callId, { name, mimeType, bytes }, staging);
    },
    markOf: async (rank) => markOf(await searchNumber(ctx, run.id, callId), rank),
    searchFiles: (query, maxResults) => searchFiles(ctx, runFiles(run), query, maxResults, signal),
    userToken: (pluginId) => userTokenOf(ctx, run, pluginId),
  };
}

/** The number of a call among the file searches of its run, from 1. */
async function searchNumber(ctx: DomainContext, runId: string, callId: string): Promise<number> {
  const searches = await ctx.db.toolCall.findMany({
    where: { kind: 'FILE_SEARCH', step: { runId } },
    orderBy: [{ step: { index: 'asc' } }, { index: 'asc' }],
    select: { id: true },
  });
  return searches.findIndex(({ id }) => id === callId) + 1;
}

async function saveFile(
  ctx: DomainContext,
  { threadId }: Run,
  toolCallId: string,
  { name, mimeType, bytes }: { name: string; mimeType: string | null; bytes: Uint8Array },
  staging: DomainContext['staging'],
): Promise<InputFile> {
  try {
    const thread = await ctx.db.thread.findFirst({ where: { id: threadId }, select: { owner: true } });
    const staged = await staging.add([bytes], ctx.fileLimits.uploadBytes);
    const writtenBy = { threadId, toolCallId };
    return await storeFile(ctx, { name, mimeType, bytes: staged, owner: thread?.owner ?? null, writtenBy });
  } catch (error) {
    if (error instanceof QuotaExceededError) throw new ToolError('quota_exceeded', error.message);
    if (error instanceof NoRoomError || isNoRoom(error)) throw new ToolError('no_room', new NoRoomError().message);
    if (error instanceof TooManyBytesError) {
      throw new ToolError('file_too_large', `${name} is larger than the limit of ${error.maxBytes} bytes.`);
    }
    throw error;
  }
}
