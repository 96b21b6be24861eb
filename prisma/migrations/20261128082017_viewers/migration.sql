-- CreateEnum
CREATE TYPE "FeedbackRating" AS ENUM ('UP', 'DOWN');

-- AlterTable
ALTER TABLE "Message" ADD COLUMN     "feedback" "FeedbackRating",
ADD COLUMN     "feedbackAt" TIMESTAMPTZ(3),
ADD COLUMN     "feedbackBy" TEXT,
ADD COLUMN     "feedbackComment" TEXT;

-- CreateTable
CREATE TABLE "ThreadView" (
    "workspaceId" TEXT NOT NULL,
    "threadId" TEXT NOT NULL,
    "viewer" TEXT NOT NULL,
    "readThrough" INTEGER NOT NULL DEFAULT 0,
    "pinnedAt" TIMESTAMPTZ(3),

    CONSTRAINT "ThreadView_pkey" PRIMARY KEY ("workspaceId","threadId","viewer")
);

-- CreateIndex
CREATE INDEX "ThreadView_workspaceId_viewer_pinnedAt_idx" ON "ThreadView"("workspaceId", "viewer", "pinnedAt");

-- AddForeignKey
ALTER TABLE "ThreadView" ADD CONSTRAINT "ThreadView_workspaceId_threadId_fkey" FOREIGN KEY ("workspaceId", "threadId") REFERENCES "Thread"("workspaceId", "id") ON DELETE CASCADE ON UPDATE CASCADE;
