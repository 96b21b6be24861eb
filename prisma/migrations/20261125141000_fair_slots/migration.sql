ALTER TABLE "Run" ADD COLUMN "slotOwner" TEXT NOT NULL DEFAULT '', ADD COLUMN "isHead" BOOLEAN NOT NULL DEFAULT false;
UPDATE "Run" r SET "slotOwner" = coalesce(t."owner", ''), "isHead" = (t."activeRunId" IS NOT DISTINCT FROM r."id")
FROM "Thread" t
WHERE t."workspaceId" = r."workspaceId" AND t."id" = r."threadId" AND r."endedAt" IS NULL;

-- What a claim reads: the claimable runs and the executing runs of each end user.
DROP INDEX "Run_queued_idx";
DROP INDEX "Run_executing_idx";
CREATE INDEX "Run_claimable_idx" ON "Run" ("workspaceId", "slotOwner", "createdAt", "id") WHERE "status" = 'QUEUED' AND "isHead";
CREATE INDEX "Run_executing_idx" ON "Run" ("workspaceId", "slotOwner") WHERE "status" IN ('IN_PROGRESS', 'CANCELLING');

-- The same for files that wait to be read. Their claims and those of embedding end by the clock of the database.
DROP INDEX "File_ingestion_idx";
CREATE INDEX "File_waiting_idx" ON "File" ("workspaceId", (coalesce("owner", '')), "createdAt") WHERE "ingestion" = 'QUEUED';
CREATE INDEX "File_reading_idx" ON "File" ("workspaceId") WHERE "ingestion" = 'IN_PROGRESS';
