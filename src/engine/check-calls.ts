import type { Run } from '../db/generated/client.ts';
import type { CheckedCall } from '../domain/run/tool-step.ts';
import type { Offload } from '../offload/offload.ts';
import { OffloadTimeoutError } from '../offload/offload-error.ts';
import type { ModelCall } from './model-turn.ts';
import type { Toolbox } from './toolbox.ts';
import { parsedArguments } from './transcript.ts';

/** The calls of an answer, each with what is wrong with it, if nobody can make it: that is told to the model. */
export function checkCalls(offload: Offload, run: Run, toolbox: Toolbox, calls: ModelCall[]): Promise<CheckedCall[]> {
  return Promise.all(
    calls.map(async (call, index) => {
      const isOneTooMany = !run.parallelToolCalls && index > 0;
      const error = isOneTooMany
        ? 'Make one call at a time. This one was not made.'
        : await faultOf(offload, run, toolbox, call);
      const isServers = toolbox.serverTool(call.name) !== null;
      return { id: call.id, arguments: call.arguments, error, isServers };
    }),
  );
}

async function faultOf(
  offload: Offload,
  run: Run,
  toolbox: Toolbox,
  { name, arguments: text }: ModelCall,
): Promise<string | null> {
  const parameters = toolbox.parametersOf(name);
  if (!parameters) return `There is no tool named ${name}.`;
  const value = parsedArguments(text);
  if (value === null) return 'The arguments are not a JSON object.';
  try {
    const fault = await offload.schemaFault(run.workspaceId, parameters, value);
    return fault && `The arguments do not fit the schema of ${name}: ${fault}.`;
  } catch (error) {
    const isSlow = error instanceof OffloadTimeoutError;
    // A schema that refers to what is not there says nothing about the arguments: the client sees to them.
    return isSlow ? 'The arguments take too long to check against the schema.' : null;
  }
}
