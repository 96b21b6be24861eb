-- Passages of files are found by pieces of words, too.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- CreateEnum
CREATE TYPE "IngestionStatus" AS ENUM ('NOT_SEARCHABLE', 'QUEUED', 'IN_PROGRESS', 'COMPLETED', 'FAILED');

-- CreateEnum
CREATE TYPE "PluginKind" AS ENUM ('OPENAPI', 'MCP');

-- AlterEnum
-- This migration adds more than one value to an enum.
-- With PostgreSQL versions 11 and earlier, this is not possible
-- in a single migration. This can be worked around by creating
-- multiple migrations, each migration adding only one value to
-- the enum.


ALTER TYPE "ToolKind" ADD VALUE 'CODE_INTERPRETER';
ALTER TYPE "ToolKind" ADD VALUE 'TEXT_TO_IMAGE';
ALTER TYPE "ToolKind" ADD VALUE 'PLUGIN';
ALTER TYPE "ToolKind" ADD VALUE 'FILE_SEARCH';
ALTER TYPE "ToolKind" ADD VALUE 'WEB_SEARCH';

-- AlterTable
ALTER TABLE "Message" ADD COLUMN     "annotations" JSONB;

-- AlterTable
ALTER TABLE "Run" ADD COLUMN     "sealedUserTokens" TEXT;

-- AlterTable
ALTER TABLE "ToolCall" ADD COLUMN     "httpStatus" INTEGER,
ADD COLUMN     "operation" TEXT,
ADD COLUMN     "pluginId" TEXT,
ADD COLUMN     "startedAt" TIMESTAMPTZ(3);

-- CreateTable
CREATE TABLE "Blob" (
    "workspaceId" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "sha256" TEXT NOT NULL,
    "sizeBytes" INTEGER NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deletedAt" TIMESTAMPTZ(3),

    CONSTRAINT "Blob_pkey" PRIMARY KEY ("workspaceId","key")
);

-- CreateTable
CREATE TABLE "File" (
    "workspaceId" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "blobKey" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "mimeType" TEXT NOT NULL,
    "sizeBytes" INTEGER NOT NULL,
    "owner" TEXT,
    "threadId" TEXT,
    "toolCallId" TEXT,
    "ingestion" "IngestionStatus" NOT NULL DEFAULT 'NOT_SEARCHABLE',
    "ingestionProgress" DOUBLE PRECISION NOT NULL DEFAULT 0,
    "ingestionError" TEXT,
    "ingestionClaim" TEXT,
    "ingestionAt" TIMESTAMPTZ(3),
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "File_pkey" PRIMARY KEY ("workspaceId","id")
);

-- CreateTable
CREATE TABLE "MessageFile" (
    "workspaceId" TEXT NOT NULL,
    "messageId" TEXT NOT NULL,
    "fileId" TEXT NOT NULL,
    "index" INTEGER NOT NULL,
    "isAttachment" BOOLEAN NOT NULL,

    CONSTRAINT "MessageFile_pkey" PRIMARY KEY ("workspaceId","messageId","fileId")
);

-- CreateTable
CREATE TABLE "ThreadFile" (
    "workspaceId" TEXT NOT NULL,
    "threadId" TEXT NOT NULL,
    "fileId" TEXT NOT NULL,

    CONSTRAINT "ThreadFile_pkey" PRIMARY KEY ("workspaceId","threadId","fileId")
);

-- CreateTable
CREATE TABLE "AssistantFile" (
    "workspaceId" TEXT NOT NULL,
    "assistantId" TEXT NOT NULL,
    "fileId" TEXT NOT NULL,

    CONSTRAINT "AssistantFile_pkey" PRIMARY KEY ("workspaceId","assistantId","fileId")
);

-- CreateTable
CREATE TABLE "FileChunk" (
    "workspaceId" TEXT NOT NULL,
    "fileId" TEXT NOT NULL,
    "index" INTEGER NOT NULL,
    "text" TEXT NOT NULL,
    "page" INTEGER,
    "words" tsvector NOT NULL,

    CONSTRAINT "FileChunk_pkey" PRIMARY KEY ("workspaceId","fileId","index")
);

-- CreateTable
CREATE TABLE "FileSearchHit" (
    "workspaceId" TEXT NOT NULL,
    "toolCallId" TEXT NOT NULL,
    "rank" INTEGER NOT NULL,
    "fileId" TEXT NOT NULL,
    "chunkIndex" INTEGER NOT NULL,
    "score" DOUBLE PRECISION NOT NULL,

    CONSTRAINT "FileSearchHit_pkey" PRIMARY KEY ("workspaceId","toolCallId","rank")
);

-- CreateTable
CREATE TABLE "Plugin" (
    "workspaceId" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "kind" "PluginKind" NOT NULL,
    "url" TEXT,
    "document" TEXT,
    "serverUrl" TEXT,
    "selected" TEXT[],
    "operations" JSONB NOT NULL DEFAULT '[]',
    "sealedAuth" TEXT,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "refreshedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "Plugin_pkey" PRIMARY KEY ("workspaceId","id")
);

-- CreateIndex
CREATE INDEX "File_workspaceId_createdAt_id_idx" ON "File"("workspaceId", "createdAt", "id");

-- CreateIndex
CREATE INDEX "File_workspaceId_owner_createdAt_id_idx" ON "File"("workspaceId", "owner", "createdAt", "id");

-- CreateIndex
CREATE INDEX "File_workspaceId_blobKey_idx" ON "File"("workspaceId", "blobKey");

-- CreateIndex
CREATE INDEX "File_workspaceId_threadId_idx" ON "File"("workspaceId", "threadId");

-- CreateIndex
CREATE INDEX "File_workspaceId_toolCallId_idx" ON "File"("workspaceId", "toolCallId");

-- CreateIndex
CREATE INDEX "MessageFile_workspaceId_fileId_idx" ON "MessageFile"("workspaceId", "fileId");

-- CreateIndex
CREATE INDEX "ThreadFile_workspaceId_fileId_idx" ON "ThreadFile"("workspaceId", "fileId");

-- CreateIndex
CREATE INDEX "AssistantFile_workspaceId_fileId_idx" ON "AssistantFile"("workspaceId", "fileId");

-- CreateIndex
CREATE INDEX "FileChunk_words_idx" ON "FileChunk" USING GIN ("words");

-- CreateIndex
CREATE INDEX "FileChunk_text_idx" ON "FileChunk" USING GIN ("text" gin_trgm_ops);

-- CreateIndex
CREATE INDEX "FileSearchHit_workspaceId_fileId_chunkIndex_idx" ON "FileSearchHit"("workspaceId", "fileId", "chunkIndex");

-- CreateIndex
CREATE INDEX "Plugin_workspaceId_createdAt_id_idx" ON "Plugin"("workspaceId", "createdAt", "id");

-- AddForeignKey
ALTER TABLE "Blob" ADD CONSTRAINT "Blob_workspaceId_fkey" FOREIGN KEY ("workspaceId") REFERENCES "Workspace"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "File" ADD CONSTRAINT "File_workspaceId_blobKey_fkey" FOREIGN KEY ("workspaceId", "blobKey") REFERENCES "Blob"("workspaceId", "key") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "File" ADD CONSTRAINT "File_workspaceId_threadId_fkey" FOREIGN KEY ("workspaceId", "threadId") REFERENCES "Thread"("workspaceId", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "File" ADD CONSTRAINT "File_workspaceId_toolCallId_fkey" FOREIGN KEY ("workspaceId", "toolCallId") REFERENCES "ToolCall"("workspaceId", "id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "MessageFile" ADD CONSTRAINT "MessageFile_workspaceId_messageId_fkey" FOREIGN KEY ("workspaceId", "messageId") REFERENCES "Message"("workspaceId", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "MessageFile" ADD CONSTRAINT "MessageFile_workspaceId_fileId_fkey" FOREIGN KEY ("workspaceId", "fileId") REFERENCES "File"("workspaceId", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ThreadFile" ADD CONSTRAINT "ThreadFile_workspaceId_threadId_fkey" FOREIGN KEY ("workspaceId", "threadId") REFERENCES "Thread"("workspaceId", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ThreadFile" ADD CONSTRAINT "ThreadFile_workspaceId_fileId_fkey" FOREIGN KEY ("workspaceId", "fileId") REFERENCES "File"("workspaceId", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "AssistantFile" ADD CONSTRAINT "AssistantFile_workspaceId_assistantId_fkey" FOREIGN KEY ("workspaceId", "assistantId") REFERENCES "Assistant"("workspaceId", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "AssistantFile" ADD CONSTRAINT "AssistantFile_workspaceId_fileId_fkey" FOREIGN KEY ("workspaceId", "fileId") REFERENCES "File"("workspaceId", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "FileChunk" ADD CONSTRAINT "FileChunk_workspaceId_fileId_fkey" FOREIGN KEY ("workspaceId", "fileId") REFERENCES "File"("workspaceId", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "FileSearchHit" ADD CONSTRAINT "FileSearchHit_workspaceId_toolCallId_fkey" FOREIGN KEY ("workspaceId", "toolCallId") REFERENCES "ToolCall"("workspaceId", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "FileSearchHit" ADD CONSTRAINT "FileSearchHit_workspaceId_fileId_chunkIndex_fkey" FOREIGN KEY ("workspaceId", "fileId", "chunkIndex") REFERENCES "FileChunk"("workspaceId", "fileId", "index") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Plugin" ADD CONSTRAINT "Plugin_workspaceId_fkey" FOREIGN KEY ("workspaceId") REFERENCES "Workspace"("id") ON DELETE CASCADE ON UPDATE CASCADE;
