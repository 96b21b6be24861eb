/** A sample program that prints and writes a file. */
const sampleProgram = `import csv

def primes(limit):
    sieve = [True] * (limit + 1)
    for n in range(2, limit + 1):
        if sieve[n]:
            yield n
            for multiple in range(n * n, limit + 1, n):
                sieve[multiple] = False

found = list(primes(100))
print("There are", len(found), "primes up to 100.")
with open("primes.csv", "w", newline="") as file:
    csv.writer(file).writerows([n] for n in found)
sum(found)`;

/** The program in a message: between fences or after "python:". A message that only mentions Python gets the sample. */
function programIn(message: string): string | null {
  const fenced = /```(?:python|py)?\s*\n?(.*?)```/is.exec(message)?.[1];
  if (fenced !== undefined) return fenced.trim();
  const inline = /^(?:please )?(?:run |execute )?python\s*[:：]\s*(.+)$/is.exec(message)?.[1];
  return inline?.trim() ?? (/\bpython\b|\bcode_interpreter\b/i.test(message) ? sampleProgram : null);
}

const match = (pattern: RegExp) => (message: string) => pattern.exec(message)?.slice(1).find(Boolean)?.trim() || null;

/** The built-in tools that the demo calls, each with its argument and how a message names the value. */
const triggers: Record<string, { argument: string; in: (message: string) => string | null }> = {
  code_interpreter: { argument: 'code', in: programIn },
  text_to_image: { argument: 'prompt', in: match(/^(?:please )?(?:draw|paint)(?: me)? (.+)$|^(?:请)?画(.+)$/is) },
  web_search: {
    argument: 'query',
    in: match(/\bsearch the web for (.+)$|^(?:please )?web[ _]search(?: for)?:? (.+)$|^(?:请)?上网搜索(.+)$/is),
  },
  file_search: {
    argument: 'query',
    in: match(
      /\bsearch (?:my|the|our) files? for (.+)$|^(?:please )?file[ _]search(?: for)?:? (.+)$|^(?:请)?在文件中查找(.+)$/is,
    ),
  },
};

/** The arguments, as JSON, with which a message requests a built-in tool; null: it does not request the tool. */
export function requestedArguments(name: string, message: string): string | null {
  const known = Object.hasOwn(triggers, name) ? triggers[name] : undefined;
  const value = known?.in(message.trim()) ?? null;
  return known && value !== null ? JSON.stringify({ [known.argument]: value }) : null;
}

/** The demo's report on the output of a tool, as a model would write it: with links to files and citation marks. */
export function reportOf(name: string, output: string): string {
  const [, files] = /\[Files written: (.+)\]/.exec(output) ?? [];
  const links = files?.split(', ').map((file) => `[${file}](sandbox:/mnt/data/${file})`);
  if (links) return `${name} answered: ${output.trim()}\n\nThe file is here: ${links.join(', ')}`;
  if (name === 'text_to_image' && output.includes('shown to the user')) return 'Here it is.';
  const [, mark, passage] = /^(【\d+:\d+】)[^\n]*\n(.+?)(?:\n\n【|$)/s.exec(output) ?? [];
  return passage ? `I found this: ${passage.trim()} ${mark}` : `${name} answered: ${output}`;
}
