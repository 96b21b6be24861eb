-- The latest change of a thread is found without reading its other events.
CREATE INDEX "Event_threadChanged_idx" ON "Event" ("workspaceId", "threadId") WHERE "type" = 'THREAD_CHANGED';
