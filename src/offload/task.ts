import type { MessagePort } from 'node:worker_threads';

/** A task as a thread of a FairPool receives it: its input, and a port that reports that the thread has begun. */
export interface Task<Input> {
  input: Input;
  begin: MessagePort;
}

/**
 * Returns the input of a task and starts its time limit. A function of a worker file calls this once it has loaded what it
 * needs: neither the start of a thread nor its imports count as time of the task.
 */
export function begin<Input>({ input, begin: port }: Task<Input>): Input {
  port.postMessage(null);
  port.close();
  return input;
}
