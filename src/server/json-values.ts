const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const bracket = 0x5b;
const brace = 0x7b;

/**
 * Whether a JSON text in UTF-8 has more than about `limit` values. Costs a fraction of parsing it: millions of empty lists
 * in a body hold the event loop for a second, and take a hundred times its bytes.
 */
export function hasMoreValues(json: Uint8Array, limit: number): boolean {
  if (json.length <= limit) return false;
  let count = 1;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at] as number;
    if (byte === quote) {
      at = endOfString(json, at);
      if (at < 0) return false;
    } else if (byte === comma || byte === bracket || byte === brace) {
      count += 1;
      if (count > limit) return true;
    }
  }
  return false;
}

/** The index of the quote that ends the string at `start`; -1: there is none, and the text is no JSON. */
function endOfString(json: Uint8Array, start: number): number {
  let end = start;
  do end = json.indexOf(quote, end + 1);
  while (end > 0 && isEscaped(json, end));
  return end;
}

function isEscaped(json: Uint8Array, at: number): boolean {
  let start = at;
  while (json[start - 1] === backslash) start -= 1;
  return (at - start) % 2 === 1;
}
