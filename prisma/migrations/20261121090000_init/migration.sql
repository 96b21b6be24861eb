-- CreateEnum
CREATE TYPE "Scope" AS ENUM ('ASSISTANTS_READ', 'ASSISTANTS_WRITE', 'THREADS_READ', 'THREADS_WRITE', 'RUNS_READ', 'RUNS_WRITE', 'WORKSPACE_ADMIN', 'SERVER_ADMIN');

-- CreateEnum
CREATE TYPE "EventType" AS ENUM ('RUN_STATUS_CHANGED', 'STEP_STARTED', 'STEP_ENDED', 'MESSAGE_STARTED', 'MESSAGE_ENDED', 'MESSAGE_ADDED', 'MESSAGE_REMOVED', 'REASONING_STARTED', 'TOOL_CALL_STARTED');

-- CreateEnum
CREATE TYPE "PieceChannel" AS ENUM ('TEXT', 'REASONING', 'ARGUMENTS', 'OUTPUT');

-- CreateEnum
CREATE TYPE "MessageRole" AS ENUM ('USER', 'ASSISTANT', 'SYSTEM');

-- CreateEnum
CREATE TYPE "MessageStatus" AS ENUM ('IN_PROGRESS', 'COMPLETED', 'INCOMPLETE');

-- CreateEnum
CREATE TYPE "RunStatus" AS ENUM ('QUEUED', 'IN_PROGRESS', 'REQUIRES_ACTION', 'CANCELLING', 'CANCELLED', 'FAILED', 'COMPLETED', 'INCOMPLETE', 'EXPIRED');

-- CreateEnum
CREATE TYPE "RunIncompleteReason" AS ENUM ('MAX_COMPLETION_TOKENS', 'MAX_PROMPT_TOKENS', 'CONTENT_FILTER', 'MAX_STEPS');

-- CreateEnum
CREATE TYPE "TruncationStrategy" AS ENUM ('AUTO', 'LAST_MESSAGES');

-- CreateEnum
CREATE TYPE "StepType" AS ENUM ('MESSAGE_CREATION', 'TOOL_CALLS');

-- CreateEnum
CREATE TYPE "StepStatus" AS ENUM ('IN_PROGRESS', 'COMPLETED', 'FAILED', 'CANCELLED', 'EXPIRED');

-- CreateEnum
CREATE TYPE "ToolKind" AS ENUM ('FUNCTION');

-- CreateEnum
CREATE TYPE "StepRecording" AS ENUM ('FULL', 'SUMMARY', 'NONE');

-- CreateTable
CREATE TABLE "ApiKey" (
    "workspaceId" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "prefix" TEXT NOT NULL,
    "hash" TEXT NOT NULL,
    "scopes" "Scope"[],
    "isFirst" BOOLEAN NOT NULL DEFAULT false,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expiresAt" TIMESTAMPTZ(3),
    "lastUsedAt" TIMESTAMPTZ(3),
    "revokedAt" TIMESTAMPTZ(3),

    CONSTRAINT "ApiKey_pkey" PRIMARY KEY ("workspaceId","id")
);

-- CreateTable
CREATE TABLE "Assistant" (
    "workspaceId" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "name" TEXT,
    "description" TEXT,
    "model" TEXT,
    "instructions" TEXT,
    "tools" JSONB NOT NULL DEFAULT '[]',
    "temperature" DOUBLE PRECISION,
    "topP" DOUBLE PRECISION,
    "maxCompletionTokens" INTEGER,
    "responseFormat" JSONB,
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "Assistant_pkey" PRIMARY KEY ("workspaceId","id")
);

-- CreateTable
CREATE TABLE "Event" (
    "workspaceId" TEXT NOT NULL,
    "threadId" TEXT NOT NULL,
    "seq" INTEGER NOT NULL,
    "type" "EventType" NOT NULL,
    "runId" TEXT,
    "stepId" TEXT,
    "messageId" TEXT,
    "toolCallId" TEXT,
    "value" TEXT,
    "closedSeq" INTEGER,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "Event_pkey" PRIMARY KEY ("workspaceId","threadId","seq")
);

-- CreateTable
CREATE TABLE "Piece" (
    "workspaceId" TEXT NOT NULL,
    "runId" TEXT NOT NULL,
    "ownerId" TEXT NOT NULL,
    "channel" "PieceChannel" NOT NULL,
    "offset" INTEGER NOT NULL,
    "text" TEXT NOT NULL,

    CONSTRAINT "Piece_pkey" PRIMARY KEY ("workspaceId","ownerId","channel","offset")
);

-- CreateTable
CREATE TABLE "Message" (
    "workspaceId" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "threadId" TEXT NOT NULL,
    "assistantId" TEXT,
    "runId" TEXT,
    "role" "MessageRole" NOT NULL,
    "status" "MessageStatus" NOT NULL DEFAULT 'COMPLETED',
    "incompleteReason" TEXT,
    "text" TEXT NOT NULL DEFAULT '',
    "parts" JSONB,
    "flags" TEXT[],
    "position" INTEGER NOT NULL,
    "editedAt" TIMESTAMPTZ(3),
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "completedAt" TIMESTAMPTZ(3),

    CONSTRAINT "Message_pkey" PRIMARY KEY ("workspaceId","id")
);

-- CreateTable
CREATE TABLE "Run" (
    "workspaceId" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "threadId" TEXT NOT NULL,
    "assistantId" TEXT,
    "number" INTEGER NOT NULL,
    "status" "RunStatus" NOT NULL DEFAULT 'QUEUED',
    "inputThrough" INTEGER NOT NULL,
    "firstSeq" INTEGER NOT NULL,
    "model" TEXT NOT NULL,
    "instructions" TEXT,
    "tools" JSONB NOT NULL DEFAULT '[]',
    "temperature" DOUBLE PRECISION,
    "topP" DOUBLE PRECISION,
    "maxPromptTokens" INTEGER,
    "maxCompletionTokens" INTEGER,
    "maxSteps" INTEGER NOT NULL DEFAULT 20,
    "toolChoice" JSONB,
    "parallelToolCalls" BOOLEAN NOT NULL DEFAULT true,
    "responseFormat" JSONB,
    "truncation" "TruncationStrategy" NOT NULL DEFAULT 'AUTO',
    "truncationLastMessages" INTEGER,
    "errorCode" TEXT,
    "errorMessage" TEXT,
    "errorRetryable" BOOLEAN,
    "incompleteReason" "RunIncompleteReason",
    "promptTokens" INTEGER,
    "completionTokens" INTEGER,
    "reasoningTokens" INTEGER,
    "cachedTokens" INTEGER,
    "cost" DECIMAL(20,10),
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "idempotencyKey" TEXT,
    "attempt" INTEGER NOT NULL DEFAULT 1,
    "fence" INTEGER NOT NULL DEFAULT 0,
    "leasedUntil" TIMESTAMPTZ(3),
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "startedAt" TIMESTAMPTZ(3),
    "firstTokenAt" TIMESTAMPTZ(3),
    "endedAt" TIMESTAMPTZ(3),
    "expiresAt" TIMESTAMPTZ(3),

    CONSTRAINT "Run_pkey" PRIMARY KEY ("workspaceId","id")
);

-- CreateTable
CREATE TABLE "Step" (
    "workspaceId" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "runId" TEXT NOT NULL,
    "index" INTEGER NOT NULL,
    "type" "StepType" NOT NULL,
    "status" "StepStatus" NOT NULL DEFAULT 'IN_PROGRESS',
    "messageId" TEXT,
    "reasoning" TEXT NOT NULL DEFAULT '',
    "errorCode" TEXT,
    "errorMessage" TEXT,
    "errorRetryable" BOOLEAN,
    "promptTokens" INTEGER,
    "completionTokens" INTEGER,
    "reasoningTokens" INTEGER,
    "cachedTokens" INTEGER,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "startedAt" TIMESTAMPTZ(3),
    "endedAt" TIMESTAMPTZ(3),

    CONSTRAINT "Step_pkey" PRIMARY KEY ("workspaceId","id")
);

-- CreateTable
CREATE TABLE "ToolCall" (
    "workspaceId" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "stepId" TEXT NOT NULL,
    "index" INTEGER NOT NULL,
    "kind" "ToolKind" NOT NULL,
    "name" TEXT NOT NULL,
    "status" "StepStatus" NOT NULL DEFAULT 'IN_PROGRESS',
    "arguments" TEXT NOT NULL DEFAULT '',
    "output" TEXT,
    "errorCode" TEXT,
    "errorMessage" TEXT,
    "errorRetryable" BOOLEAN,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "endedAt" TIMESTAMPTZ(3),

    CONSTRAINT "ToolCall_pkey" PRIMARY KEY ("workspaceId","id")
);

-- CreateTable
CREATE TABLE "Thread" (
    "workspaceId" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "title" TEXT,
    "assistantId" TEXT,
    "owner" TEXT,
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "lastActiveAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "archivedAt" TIMESTAMPTZ(3),
    "activeRunId" TEXT,
    "forkedFromId" TEXT,
    "lastSeq" INTEGER NOT NULL DEFAULT 0,
    "lastPosition" INTEGER NOT NULL DEFAULT 0,
    "lastRun" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "Thread_pkey" PRIMARY KEY ("workspaceId","id")
);

-- CreateTable
CREATE TABLE "Workspace" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "isDefault" BOOLEAN NOT NULL DEFAULT false,
    "defaultModel" TEXT,
    "threadTtlDays" INTEGER,
    "maxConcurrentRuns" INTEGER NOT NULL DEFAULT 50,
    "runExpirySeconds" INTEGER NOT NULL DEFAULT 600,
    "recordSteps" "StepRecording" NOT NULL DEFAULT 'FULL',
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "Workspace_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "ApiKey_hash_key" ON "ApiKey"("hash");

-- CreateIndex
CREATE INDEX "ApiKey_workspaceId_createdAt_id_idx" ON "ApiKey"("workspaceId", "createdAt", "id");

-- CreateIndex
CREATE INDEX "Assistant_workspaceId_createdAt_id_idx" ON "Assistant"("workspaceId", "createdAt", "id");

-- CreateIndex
CREATE INDEX "Assistant_workspaceId_updatedAt_id_idx" ON "Assistant"("workspaceId", "updatedAt", "id");

-- CreateIndex
CREATE INDEX "Assistant_workspaceId_name_id_idx" ON "Assistant"("workspaceId", "name", "id");

-- CreateIndex
CREATE INDEX "Event_workspaceId_threadId_closedSeq_idx" ON "Event"("workspaceId", "threadId", "closedSeq");

-- CreateIndex
CREATE INDEX "Piece_workspaceId_runId_idx" ON "Piece"("workspaceId", "runId");

-- CreateIndex
CREATE INDEX "Message_workspaceId_runId_position_idx" ON "Message"("workspaceId", "runId", "position");

-- CreateIndex
CREATE INDEX "Message_workspaceId_assistantId_idx" ON "Message"("workspaceId", "assistantId");

-- CreateIndex
CREATE UNIQUE INDEX "Message_workspaceId_threadId_position_key" ON "Message"("workspaceId", "threadId", "position");

-- CreateIndex
CREATE INDEX "Run_workspaceId_createdAt_id_idx" ON "Run"("workspaceId", "createdAt", "id");

-- CreateIndex
CREATE INDEX "Run_workspaceId_threadId_createdAt_id_idx" ON "Run"("workspaceId", "threadId", "createdAt", "id");

-- CreateIndex
CREATE INDEX "Run_workspaceId_assistantId_createdAt_id_idx" ON "Run"("workspaceId", "assistantId", "createdAt", "id");

-- CreateIndex
CREATE INDEX "Run_workspaceId_status_createdAt_id_idx" ON "Run"("workspaceId", "status", "createdAt", "id");

-- CreateIndex
CREATE UNIQUE INDEX "Run_workspaceId_threadId_number_key" ON "Run"("workspaceId", "threadId", "number");

-- CreateIndex
CREATE UNIQUE INDEX "Run_workspaceId_idempotencyKey_key" ON "Run"("workspaceId", "idempotencyKey");

-- CreateIndex
CREATE INDEX "Step_workspaceId_messageId_idx" ON "Step"("workspaceId", "messageId");

-- CreateIndex
CREATE UNIQUE INDEX "Step_workspaceId_runId_index_key" ON "Step"("workspaceId", "runId", "index");

-- CreateIndex
CREATE UNIQUE INDEX "ToolCall_workspaceId_stepId_index_key" ON "ToolCall"("workspaceId", "stepId", "index");

-- CreateIndex
CREATE INDEX "Thread_workspaceId_lastActiveAt_id_idx" ON "Thread"("workspaceId", "lastActiveAt", "id");

-- CreateIndex
CREATE INDEX "Thread_workspaceId_createdAt_id_idx" ON "Thread"("workspaceId", "createdAt", "id");

-- CreateIndex
CREATE INDEX "Thread_workspaceId_owner_lastActiveAt_id_idx" ON "Thread"("workspaceId", "owner", "lastActiveAt", "id");

-- CreateIndex
CREATE INDEX "Thread_workspaceId_assistantId_lastActiveAt_id_idx" ON "Thread"("workspaceId", "assistantId", "lastActiveAt", "id");

-- CreateIndex
CREATE INDEX "Thread_workspaceId_forkedFromId_idx" ON "Thread"("workspaceId", "forkedFromId");

-- CreateIndex
CREATE UNIQUE INDEX "Thread_workspaceId_activeRunId_key" ON "Thread"("workspaceId", "activeRunId");

-- CreateIndex
CREATE INDEX "Workspace_createdAt_id_idx" ON "Workspace"("createdAt", "id");

-- AddForeignKey
ALTER TABLE "ApiKey" ADD CONSTRAINT "ApiKey_workspaceId_fkey" FOREIGN KEY ("workspaceId") REFERENCES "Workspace"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Assistant" ADD CONSTRAINT "Assistant_workspaceId_fkey" FOREIGN KEY ("workspaceId") REFERENCES "Workspace"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Event" ADD CONSTRAINT "Event_workspaceId_threadId_fkey" FOREIGN KEY ("workspaceId", "threadId") REFERENCES "Thread"("workspaceId", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Piece" ADD CONSTRAINT "Piece_workspaceId_runId_fkey" FOREIGN KEY ("workspaceId", "runId") REFERENCES "Run"("workspaceId", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Message" ADD CONSTRAINT "Message_workspaceId_threadId_fkey" FOREIGN KEY ("workspaceId", "threadId") REFERENCES "Thread"("workspaceId", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Message" ADD CONSTRAINT "Message_workspaceId_assistantId_fkey" FOREIGN KEY ("workspaceId", "assistantId") REFERENCES "Assistant"("workspaceId", "id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Message" ADD CONSTRAINT "Message_workspaceId_runId_fkey" FOREIGN KEY ("workspaceId", "runId") REFERENCES "Run"("workspaceId", "id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Run" ADD CONSTRAINT "Run_workspaceId_threadId_fkey" FOREIGN KEY ("workspaceId", "threadId") REFERENCES "Thread"("workspaceId", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Run" ADD CONSTRAINT "Run_workspaceId_assistantId_fkey" FOREIGN KEY ("workspaceId", "assistantId") REFERENCES "Assistant"("workspaceId", "id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Step" ADD CONSTRAINT "Step_workspaceId_runId_fkey" FOREIGN KEY ("workspaceId", "runId") REFERENCES "Run"("workspaceId", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Step" ADD CONSTRAINT "Step_workspaceId_messageId_fkey" FOREIGN KEY ("workspaceId", "messageId") REFERENCES "Message"("workspaceId", "id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ToolCall" ADD CONSTRAINT "ToolCall_workspaceId_stepId_fkey" FOREIGN KEY ("workspaceId", "stepId") REFERENCES "Step"("workspaceId", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Thread" ADD CONSTRAINT "Thread_workspaceId_fkey" FOREIGN KEY ("workspaceId") REFERENCES "Workspace"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Thread" ADD CONSTRAINT "Thread_workspaceId_assistantId_fkey" FOREIGN KEY ("workspaceId", "assistantId") REFERENCES "Assistant"("workspaceId", "id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Thread" ADD CONSTRAINT "Thread_workspaceId_activeRunId_fkey" FOREIGN KEY ("workspaceId", "activeRunId") REFERENCES "Run"("workspaceId", "id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Thread" ADD CONSTRAINT "Thread_workspaceId_forkedFromId_fkey" FOREIGN KEY ("workspaceId", "forkedFromId") REFERENCES "Message"("workspaceId", "id") ON DELETE SET NULL ON UPDATE CASCADE;
