/**
 * Removes empty environment variables: an empty variable counts as absent. Called before anything else is imported, because
 * provider packages read their own variables when they are imported, and fail for an empty one.
 */
export function dropEmptyVariables(environment: Record<string, string | undefined> = process.env): void {
  for (const [name, value] of Object.entries(environment)) if (value === '') delete environment[name];
}
