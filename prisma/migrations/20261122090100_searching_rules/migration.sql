-- What was read while nobody could make vectors of it.
CREATE INDEX "File_unembedded_idx" ON "File" ("ingestionAt" NULLS FIRST) WHERE "ingestion" = 'COMPLETED' AND "embeddingModel" IS NULL;

ALTER TABLE "File"
  ADD CONSTRAINT "File_embedding_check" CHECK ("embeddingTokens" >= 0 AND "ingestionAttempts" >= 0);

-- The words of what was read before there was this table.
INSERT INTO "FileTerm" ("workspaceId", "fileId", "term")
  SELECT DISTINCT c."workspaceId", c."fileId", m[1]
  FROM "FileChunk" c, regexp_matches(lower(c."text"), '[[:alpha:]]{3,40}', 'g') m;
