-- AlterTable
ALTER TABLE "File" ADD COLUMN     "embeddingError" TEXT,
ADD COLUMN     "embeddingModel" TEXT,
ADD COLUMN     "embeddingTokens" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN     "ingestionAttempts" INTEGER NOT NULL DEFAULT 0;
