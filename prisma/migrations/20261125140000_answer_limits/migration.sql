-- The answer of a model reached a limit of the server.
ALTER TYPE "RunIncompleteReason" ADD VALUE 'ANSWER_TOO_LONG';
ALTER TYPE "RunIncompleteReason" ADD VALUE 'ARGUMENTS_TOO_LONG';

-- The calls of an answer beyond the limit of calls, which are not stored.
ALTER TABLE "Step" ADD COLUMN     "surplusCalls" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "Step" ADD CONSTRAINT "Step_surplusCalls_check" CHECK ("surplusCalls" >= 0);
