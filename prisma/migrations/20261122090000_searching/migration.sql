-- DropIndex
DROP INDEX "FileChunk_text_idx";

-- AlterTable
ALTER TABLE "File" ADD COLUMN     "embeddingError" TEXT,
ADD COLUMN     "embeddingModel" TEXT,
ADD COLUMN     "embeddingTokens" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN     "ingestionAttempts" INTEGER NOT NULL DEFAULT 0;

-- CreateTable
CREATE TABLE "FileTerm" (
    "workspaceId" TEXT NOT NULL,
    "fileId" TEXT NOT NULL,
    "term" TEXT NOT NULL,

    CONSTRAINT "FileTerm_pkey" PRIMARY KEY ("workspaceId","fileId","term")
);

-- CreateIndex
CREATE INDEX "FileTerm_term_idx" ON "FileTerm" USING GIN ("term" gin_trgm_ops);

-- AddForeignKey
ALTER TABLE "FileTerm" ADD CONSTRAINT "FileTerm_workspaceId_fileId_fkey" FOREIGN KEY ("workspaceId", "fileId") REFERENCES "File"("workspaceId", "id") ON DELETE CASCADE ON UPDATE CASCADE;
