/** A task ran longer than its time limit, or no thread became free for it in time. */
export class OffloadTimeoutError extends Error {}

/** A task needed more memory than its thread may have. */
export class OffloadMemoryError extends Error {}
