-- Tables, columns, constraints and indexes take the names that the rest of the project uses. No row changes.

-- A delta of a growing text.
ALTER TYPE "PieceChannel" RENAME TO "TextChannel";
ALTER TABLE "Piece" RENAME TO "TextDelta";
ALTER TABLE "TextDelta" RENAME CONSTRAINT "Piece_pkey" TO "TextDelta_pkey";
ALTER TABLE "TextDelta" RENAME CONSTRAINT "Piece_check" TO "TextDelta_check";
ALTER TABLE "TextDelta" RENAME CONSTRAINT "Piece_workspaceId_runId_fkey" TO "TextDelta_workspaceId_runId_fkey";
ALTER INDEX "Piece_workspaceId_runId_idx" RENAME TO "TextDelta_workspaceId_runId_idx";

-- Another workspace that an API key may enter.
ALTER TABLE "ApiKeyEntry" RENAME TO "ApiKeyWorkspace";
ALTER TABLE "ApiKeyWorkspace" RENAME CONSTRAINT "ApiKeyEntry_pkey" TO "ApiKeyWorkspace_pkey";
ALTER TABLE "ApiKeyWorkspace" RENAME CONSTRAINT "ApiKeyEntry_workspaceId_fkey" TO "ApiKeyWorkspace_workspaceId_fkey";
ALTER TABLE "ApiKeyWorkspace" RENAME CONSTRAINT "ApiKeyEntry_homeWorkspaceId_keyId_fkey" TO "ApiKeyWorkspace_homeWorkspaceId_keyId_fkey";
ALTER INDEX "ApiKeyEntry_homeWorkspaceId_keyId_idx" RENAME TO "ApiKeyWorkspace_homeWorkspaceId_keyId_idx";
ALTER TABLE "ApiKey" RENAME COLUMN "isFirst" TO "isAdminKey";

-- A passage of a file, and a passage that a search found.
ALTER TABLE "FileChunk" RENAME TO "Passage";
ALTER TABLE "Passage" RENAME CONSTRAINT "FileChunk_pkey" TO "Passage_pkey";
ALTER TABLE "Passage" RENAME CONSTRAINT "FileChunk_index_check" TO "Passage_index_check";
ALTER TABLE "Passage" RENAME CONSTRAINT "FileChunk_workspaceId_fileId_fkey" TO "Passage_workspaceId_fileId_fkey";
ALTER INDEX "FileChunk_words_idx" RENAME TO "Passage_words_idx";
ALTER TABLE "FileSearchHit" RENAME TO "FileSearchResult";
ALTER TABLE "FileSearchResult" RENAME COLUMN "chunkIndex" TO "passageIndex";
ALTER TABLE "FileSearchResult" RENAME CONSTRAINT "FileSearchHit_pkey" TO "FileSearchResult_pkey";
ALTER TABLE "FileSearchResult" RENAME CONSTRAINT "FileSearchHit_check" TO "FileSearchResult_check";
ALTER TABLE "FileSearchResult" RENAME CONSTRAINT "FileSearchHit_workspaceId_toolCallId_fkey" TO "FileSearchResult_workspaceId_toolCallId_fkey";
ALTER TABLE "FileSearchResult" RENAME CONSTRAINT "FileSearchHit_workspaceId_fileId_chunkIndex_fkey" TO "FileSearchResult_workspaceId_fileId_passageIndex_fkey";
ALTER INDEX "FileSearchHit_workspaceId_fileId_chunkIndex_idx" RENAME TO "FileSearchResult_workspaceId_fileId_passageIndex_idx";
-- The server makes this table itself, where pgvector is available.
ALTER TABLE IF EXISTS "FileChunkEmbedding" RENAME TO "PassageEmbedding";
