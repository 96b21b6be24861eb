import { InvalidPluginError, type PluginOperation } from '../plugin.ts';

const maxParameters = 64_000;
const maxTogether = 1_000_000;

/** What was read: the names of all that is offered, and the operations that are wanted. */
export interface ReadOperations<Operation> {
  names: string[];
  operations: Operation[];
}

/** The operations, if they are not too large for a model to be told. Throws InvalidPluginError. */
export function withinLimits<Operation extends PluginOperation>(operations: Operation[]): Operation[] {
  let together = 0;
  for (const { name, parameters } of operations) {
    const length = JSON.stringify(parameters).length;
    together += length;
    if (length > maxParameters) {
      throw new InvalidPluginError(
        `The parameters of ${name} have more than ${maxParameters} characters: leave it out.`,
      );
    }
    if (together > maxTogether) {
      throw new InvalidPluginError(
        `The parameters have more than ${maxTogether} characters together: narrow them down.`,
      );
    }
  }
  return operations;
}
