-- What Prisma cannot express: which column a vanished neighbour clears, and what must never be.

ALTER TABLE "File" DROP CONSTRAINT "File_workspaceId_toolCallId_fkey",
  ADD CONSTRAINT "File_workspaceId_toolCallId_fkey" FOREIGN KEY ("workspaceId", "toolCallId") REFERENCES "ToolCall"("workspaceId", "id") ON DELETE SET NULL ("toolCallId") ON UPDATE CASCADE;
-- The same bytes are kept once in a workspace. Those that are being taken out of the store count no more.
CREATE UNIQUE INDEX "Blob_sha256_key" ON "Blob" ("workspaceId", "sha256") WHERE "deletedAt" IS NULL;
CREATE INDEX "Blob_deletedAt_idx" ON "Blob" ("deletedAt") WHERE "deletedAt" IS NOT NULL;

ALTER TABLE "Blob"
  ADD CONSTRAINT "Blob_size_check" CHECK ("sizeBytes" >= 0),
  ADD CONSTRAINT "Blob_sha256_check" CHECK ("sha256" ~ '^[0-9a-f]{64}$');
ALTER TABLE "File"
  ADD CONSTRAINT "File_name_check" CHECK ("name" <> ''),
  ADD CONSTRAINT "File_progress_check" CHECK ("ingestionProgress" BETWEEN 0 AND 1),
  ADD CONSTRAINT "File_ingestion_check" CHECK (("ingestion" = 'FAILED') = ("ingestionError" IS NOT NULL));
-- What waits to be made searchable, or was being made so.
CREATE INDEX "File_ingestion_idx" ON "File" ("createdAt") WHERE "ingestion" IN ('QUEUED', 'IN_PROGRESS');
ALTER TABLE "FileChunk"
  ADD CONSTRAINT "FileChunk_index_check" CHECK ("index" >= 0 AND "page" > 0);
ALTER TABLE "FileSearchHit"
  ADD CONSTRAINT "FileSearchHit_check" CHECK ("rank" > 0 AND "score" BETWEEN 0 AND 1);
ALTER TABLE "Plugin"
  ADD CONSTRAINT "Plugin_name_check" CHECK ("name" <> ''),
  ADD CONSTRAINT "Plugin_operations_check" CHECK (jsonb_typeof("operations") = 'array'),
  ADD CONSTRAINT "Plugin_source_check" CHECK ("document" IS NOT NULL OR "url" IS NOT NULL);
-- Which messages name a file.
CREATE INDEX "Message_annotations_idx" ON "Message" USING gin ("annotations" jsonb_path_ops) WHERE "annotations" IS NOT NULL;
