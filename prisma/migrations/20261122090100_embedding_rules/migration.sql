-- What was read while nobody could make vectors of it.
CREATE INDEX "File_unembedded_idx" ON "File" ("ingestionAt" NULLS FIRST) WHERE "ingestion" = 'COMPLETED' AND "embeddingModel" IS NULL;

ALTER TABLE "File"
  ADD CONSTRAINT "File_embedding_check" CHECK ("embeddingTokens" >= 0 AND "ingestionAttempts" >= 0);
