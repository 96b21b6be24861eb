-- AlterTable
ALTER TABLE "Run" ADD COLUMN     "generationMs" INTEGER,
ADD COLUMN     "omittedMessages" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN     "recordSteps" "StepRecording" NOT NULL DEFAULT 'FULL',
ADD COLUMN     "stepsUntil" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "Step" ADD COLUMN     "cost" DECIMAL(20,10);
