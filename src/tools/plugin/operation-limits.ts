import { documentLimits } from '../limits.ts';
import { InvalidPluginError, type PluginOperation } from '../plugin-source.ts';

/** The operations of a document: the names of all, and the selected ones. */
export interface ReadOperations<Operation> {
  names: string[];
  operations: Operation[];
}

/** Returns the operations unchanged. Throws InvalidPluginError when their schemas are too large for a prompt. */
export function withinLimits<Operation extends PluginOperation>(operations: Operation[]): Operation[] {
  let total = 0;
  for (const { name, parameters } of operations) {
    const { length } = JSON.stringify(parameters);
    total += length;
    if (length > documentLimits.parameters) {
      throw new InvalidPluginError(
        `The parameters of ${name} have more than ${documentLimits.parameters} characters. Leave the operation out.`,
      );
    }
    if (total > documentLimits.allParameters) {
      throw new InvalidPluginError(
        `The parameters of all operations have more than ${documentLimits.allParameters} characters. Select fewer operations.`,
      );
    }
  }
  return operations;
}
