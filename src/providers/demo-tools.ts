/** A program to show what Python does here: it prints, and writes a file. */
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

/** The program in a message: between fences, behind "python:" or, for a mere wish, a sample. */
function programIn(asked: string): string | null {
  const fenced = /```(?:python|py)?\s*\n?(.*?)```/is.exec(asked)?.[1];
  if (fenced !== undefined) return fenced.trim();
  const said = /^(?:please )?(?:run |execute )?python\s*[:：]\s*(.+)$/is.exec(asked)?.[1];
  return said?.trim() ?? (/\bpython\b|\bcode_interpreter\b/i.test(asked) ? sampleProgram : null);
}

const wish = (pattern: RegExp) => (asked: string) => pattern.exec(asked)?.slice(1).find(Boolean)?.trim() || null;

/** What makes the demo call the server's own tools: their names, and the argument that a message asks for. */
const wishes: Record<string, { argument: string; of: (asked: string) => string | null }> = {
  code_interpreter: { argument: 'code', of: programIn },
  text_to_image: { argument: 'prompt', of: wish(/^(?:please )?(?:draw|paint)(?: me)? (.+)$|^(?:请)?画(.+)$/is) },
  web_search: {
    argument: 'query',
    of: wish(/\bsearch the web for (.+)$|^(?:please )?web[ _]search(?: for)?:? (.+)$|^(?:请)?上网搜索(.+)$/is),
  },
  file_search: {
    argument: 'query',
    of: wish(
      /\bsearch (?:my|the|our) files? for (.+)$|^(?:please )?file[ _]search(?: for)?:? (.+)$|^(?:请)?在文件中查找(.+)$/is,
    ),
  },
};

/** The arguments with which a message asks for one of the server's own tools; null: it does not. */
export function wishFor(name: string, asked: string): string | null {
  const known = Object.hasOwn(wishes, name) ? wishes[name] : undefined;
  const value = known?.of(asked.trim()) ?? null;
  return known && value !== null ? JSON.stringify({ [known.argument]: value }) : null;
}

/** What the demo says of an answer, as a model would: with the files that were written, and the marks of passages. */
export function reportOf(name: string, output: string): string {
  const [, files] = /\[Files written: (.+)\]/.exec(output) ?? [];
  const links = files?.split(', ').map((file) => `[${file}](sandbox:/mnt/data/${file})`);
  if (links) return `${name} answered: ${output.trim()}\n\nThe file is here: ${links.join(', ')}`;
  if (name === 'text_to_image' && output.includes('shown to the user')) return 'Here it is.';
  const [, mark, passage] = /^(【\d+:\d+】)[^\n]*\n(.+?)(?:\n\n【|$)/s.exec(output) ?? [];
  return passage ? `I found this: ${passage.trim()} ${mark}` : `${name} answered: ${output}`;
}
