-- AlterTable
ALTER TABLE "Message" ADD COLUMN     "clientId" TEXT;

-- CreateIndex
CREATE UNIQUE INDEX "Message_workspaceId_threadId_clientId_key" ON "Message"("workspaceId", "threadId", "clientId");

-- Lists of runs are ordered by these values. They are not null: a keyset needs a value in each row.
ALTER TABLE "Run"
  ADD COLUMN "durationMs" INTEGER NOT NULL GENERATED ALWAYS AS (
    coalesce(least(greatest(extract(epoch FROM ("endedAt" - "startedAt")) * 1000, 0), 2147483647)::int, 0)
  ) STORED,
  ADD COLUMN "totalTokens" INTEGER NOT NULL GENERATED ALWAYS AS (
    least(coalesce("promptTokens", 0)::bigint + coalesce("completionTokens", 0), 2147483647)::int
  ) STORED,
  ADD COLUMN "knownCost" DECIMAL(20,10) NOT NULL GENERATED ALWAYS AS (coalesce("cost", 0)) STORED;
