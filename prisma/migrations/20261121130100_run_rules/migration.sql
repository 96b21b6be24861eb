-- What a worker looks for when it has room: runs that wait, workspace by workspace.
CREATE INDEX "Run_queued_idx" ON "Run" ("workspaceId", "createdAt") WHERE "status" = 'QUEUED';
-- How many runs a workspace has under way.
CREATE INDEX "Run_executing_idx" ON "Run" ("workspaceId") WHERE "status" IN ('IN_PROGRESS', 'CANCELLING');
ALTER TABLE "Workspace" ADD CONSTRAINT "Workspace_maxRunSeconds_check" CHECK ("maxRunSeconds" > 0);
ALTER TABLE "Run" ADD CONSTRAINT "Run_losses_check" CHECK ("losses" >= 0);
