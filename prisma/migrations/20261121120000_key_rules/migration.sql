-- One row says what the server knows of itself.
ALTER TABLE "Server" ADD CONSTRAINT "Server_id_check" CHECK ("id" = 1);
-- What is left of deleted workspaces is looked for now and then.
CREATE INDEX "Workspace_deletedAt_idx" ON "Workspace" ("deletedAt") WHERE "deletedAt" IS NOT NULL;
ALTER TABLE "Workspace" ADD CONSTRAINT "Workspace_default_check" CHECK (NOT ("isDefault" AND "deletedAt" IS NOT NULL));
ALTER TABLE "ApiKey" ADD CONSTRAINT "ApiKey_scopes_check" CHECK (cardinality("scopes") > 0);
