import type { CheckedCall } from '../domain/run/tool-step.ts';
import { OffloadTimeoutError } from '../offload/offload-error.ts';
import type { ModelCall } from './model-turn.ts';
import { partyOf, type RunExecution } from './run-execution.ts';
import { parsedArguments } from './transcript.ts';

/**
 * Checks the calls of an answer: their number, the names of their tools, and the arguments against the schemas. A call that
 * cannot be made has an error, which becomes its output for the model.
 */
export function checkCalls(execution: RunExecution, calls: ModelCall[]): Promise<CheckedCall[]> {
  const { run, toolbox } = execution;
  return Promise.all(
    calls.map(async (call, index) => {
      const isOneTooMany = !run.parallelToolCalls && index > 0;
      const error = isOneTooMany
        ? 'Make one call at a time. This call was not made.'
        : await argumentFault(execution, call);
      const isServers = toolbox.serverTool(call.name) !== null;
      return { id: call.id, arguments: call.arguments, error, isServers };
    }),
  );
}

async function argumentFault(
  { offload, run, toolbox }: RunExecution,
  { name, arguments: text }: ModelCall,
): Promise<string | null> {
  const parameters = toolbox.parametersOf(name);
  if (!parameters) return `There is no tool named ${name}.`;
  const value = parsedArguments(text);
  if (value === null) return 'The arguments are not a JSON object.';
  try {
    const fault = await offload.schemaFault(partyOf(run), parameters, value);
    return fault && `The arguments do not match the schema of ${name}: ${fault}.`;
  } catch (error) {
    const isSlow = error instanceof OffloadTimeoutError;
    // An invalid schema proves nothing about the arguments: the tool has to check them.
    return isSlow ? 'The arguments take too long to check against the schema.' : null;
  }
}
