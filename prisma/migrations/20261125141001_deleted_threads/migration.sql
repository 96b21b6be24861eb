ALTER TABLE "Thread" ADD COLUMN "deletedAt" TIMESTAMPTZ(3);
-- What the purge looks for.
CREATE INDEX "Thread_deletedAt_idx" ON "Thread" ("deletedAt") WHERE "deletedAt" IS NOT NULL;
