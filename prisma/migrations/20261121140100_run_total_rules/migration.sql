-- Runs whose steps are not to be kept, until they are gone.
CREATE INDEX "Run_stepsUntil_idx" ON "Run" ("stepsUntil") WHERE "stepsUntil" IS NOT NULL;
ALTER TABLE "Run" ADD CONSTRAINT "Run_omittedMessages_check" CHECK ("omittedMessages" >= 0);
ALTER TABLE "Run" ADD CONSTRAINT "Run_generationMs_check" CHECK ("generationMs" >= 0);
-- A run does one thing at a time.
CREATE UNIQUE INDEX "Step_open_key" ON "Step" ("workspaceId", "runId") WHERE "status" = 'IN_PROGRESS';
