-- What Prisma cannot express: which column a vanished neighbour clears, and what must never be.

-- A composite key shares workspaceId with the primary key: only the other column may be cleared.
ALTER TABLE "Thread" DROP CONSTRAINT "Thread_workspaceId_assistantId_fkey",
  ADD CONSTRAINT "Thread_workspaceId_assistantId_fkey" FOREIGN KEY ("workspaceId", "assistantId") REFERENCES "Assistant"("workspaceId", "id") ON DELETE SET NULL ("assistantId") ON UPDATE CASCADE,
  DROP CONSTRAINT "Thread_workspaceId_activeRunId_fkey",
  ADD CONSTRAINT "Thread_workspaceId_activeRunId_fkey" FOREIGN KEY ("workspaceId", "activeRunId") REFERENCES "Run"("workspaceId", "id") ON DELETE SET NULL ("activeRunId") ON UPDATE CASCADE,
  DROP CONSTRAINT "Thread_workspaceId_forkedFromId_fkey",
  ADD CONSTRAINT "Thread_workspaceId_forkedFromId_fkey" FOREIGN KEY ("workspaceId", "forkedFromId") REFERENCES "Message"("workspaceId", "id") ON DELETE SET NULL ("forkedFromId") ON UPDATE CASCADE;
ALTER TABLE "Message" DROP CONSTRAINT "Message_workspaceId_assistantId_fkey",
  ADD CONSTRAINT "Message_workspaceId_assistantId_fkey" FOREIGN KEY ("workspaceId", "assistantId") REFERENCES "Assistant"("workspaceId", "id") ON DELETE SET NULL ("assistantId") ON UPDATE CASCADE,
  DROP CONSTRAINT "Message_workspaceId_runId_fkey",
  ADD CONSTRAINT "Message_workspaceId_runId_fkey" FOREIGN KEY ("workspaceId", "runId") REFERENCES "Run"("workspaceId", "id") ON DELETE SET NULL ("runId") ON UPDATE CASCADE;
ALTER TABLE "Run" DROP CONSTRAINT "Run_workspaceId_assistantId_fkey",
  ADD CONSTRAINT "Run_workspaceId_assistantId_fkey" FOREIGN KEY ("workspaceId", "assistantId") REFERENCES "Assistant"("workspaceId", "id") ON DELETE SET NULL ("assistantId") ON UPDATE CASCADE;
ALTER TABLE "Step" DROP CONSTRAINT "Step_workspaceId_messageId_fkey",
  ADD CONSTRAINT "Step_workspaceId_messageId_fkey" FOREIGN KEY ("workspaceId", "messageId") REFERENCES "Message"("workspaceId", "id") ON DELETE SET NULL ("messageId") ON UPDATE CASCADE;

-- One default workspace.
CREATE UNIQUE INDEX "Workspace_isDefault_key" ON "Workspace" ("isDefault") WHERE "isDefault";
ALTER TABLE "Workspace"
  ADD CONSTRAINT "Workspace_name_check" CHECK ("name" <> ''),
  ADD CONSTRAINT "Workspace_settings_check" CHECK ("maxConcurrentRuns" > 0 AND "runExpirySeconds" > 0 AND "threadTtlDays" > 0);

-- One first key.
CREATE UNIQUE INDEX "ApiKey_isFirst_key" ON "ApiKey" ("isFirst") WHERE "isFirst";

-- A thread runs one run at a time.
CREATE UNIQUE INDEX "Run_threadId_running_key" ON "Run" ("workspaceId", "threadId")
  WHERE "status" IN ('IN_PROGRESS', 'REQUIRES_ACTION', 'CANCELLING');
-- What the sweep looks for: runs past their time.
CREATE INDEX "Run_expiresAt_idx" ON "Run" ("expiresAt") WHERE "endedAt" IS NULL;

ALTER TABLE "Run"
  ADD CONSTRAINT "Run_ended_check" CHECK (("endedAt" IS NOT NULL) = ("status" IN ('CANCELLED', 'FAILED', 'COMPLETED', 'INCOMPLETE', 'EXPIRED'))),
  ADD CONSTRAINT "Run_lease_check" CHECK ("leasedUntil" IS NULL OR "status" IN ('IN_PROGRESS', 'CANCELLING')),
  ADD CONSTRAINT "Run_error_check" CHECK ("status" <> 'FAILED' OR ("errorCode" IS NOT NULL AND "errorMessage" IS NOT NULL AND "errorRetryable" IS NOT NULL)),
  ADD CONSTRAINT "Run_incomplete_check" CHECK (("status" = 'INCOMPLETE') = ("incompleteReason" IS NOT NULL)),
  ADD CONSTRAINT "Run_numbers_check" CHECK ("number" > 0 AND "attempt" > 0 AND "fence" >= 0 AND "inputThrough" >= 0 AND "firstSeq" > 0 AND "maxSteps" > 0),
  ADD CONSTRAINT "Run_tokens_check" CHECK ("promptTokens" >= 0 AND "completionTokens" >= 0 AND "reasoningTokens" >= 0 AND "cachedTokens" >= 0 AND "cost" >= 0),
  ADD CONSTRAINT "Run_tools_check" CHECK (jsonb_typeof("tools") = 'array' AND jsonb_typeof("metadata") = 'object');
ALTER TABLE "Assistant"
  ADD CONSTRAINT "Assistant_tools_check" CHECK (jsonb_typeof("tools") = 'array' AND jsonb_typeof("metadata") = 'object');
ALTER TABLE "Thread"
  ADD CONSTRAINT "Thread_numbers_check" CHECK ("lastSeq" >= 0 AND "lastPosition" >= 0 AND "lastRun" >= 0),
  ADD CONSTRAINT "Thread_metadata_check" CHECK (jsonb_typeof("metadata") = 'object');
ALTER TABLE "Message"
  ADD CONSTRAINT "Message_position_check" CHECK ("position" > 0),
  ADD CONSTRAINT "Message_completed_check" CHECK (("status" = 'COMPLETED') = ("completedAt" IS NOT NULL)),
  ADD CONSTRAINT "Message_incomplete_check" CHECK (("status" = 'INCOMPLETE') = ("incompleteReason" IS NOT NULL)),
  ADD CONSTRAINT "Message_metadata_check" CHECK (jsonb_typeof("metadata") = 'object');
ALTER TABLE "Step"
  ADD CONSTRAINT "Step_ended_check" CHECK (("endedAt" IS NOT NULL) = ("status" <> 'IN_PROGRESS')),
  ADD CONSTRAINT "Step_error_check" CHECK ("status" <> 'FAILED' OR "errorCode" IS NOT NULL),
  ADD CONSTRAINT "Step_message_check" CHECK ("messageId" IS NULL OR "type" = 'MESSAGE_CREATION'),
  ADD CONSTRAINT "Step_index_check" CHECK ("index" >= 0);
ALTER TABLE "ToolCall"
  ADD CONSTRAINT "ToolCall_ended_check" CHECK (("endedAt" IS NOT NULL) = ("status" <> 'IN_PROGRESS')),
  ADD CONSTRAINT "ToolCall_index_check" CHECK ("index" >= 0);
ALTER TABLE "Event"
  ADD CONSTRAINT "Event_seq_check" CHECK ("seq" > 0 AND "closedSeq" >= "seq");
ALTER TABLE "Piece"
  ADD CONSTRAINT "Piece_check" CHECK ("offset" >= 0 AND "text" <> '');
-- The sweep, over all workspaces, touches only what is under way.
CREATE INDEX "Run_unfinished_idx" ON "Run" ("status", "createdAt") WHERE "endedAt" IS NULL;
