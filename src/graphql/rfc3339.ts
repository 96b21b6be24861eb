const rfc3339 = /^(\d{4}-\d{2}-\d{2})[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/**
 * Parses an RFC 3339 text. Returns null for any other text, for a day that does not exist, and for times outside the
 * years 1 to 9999 (UTC), which PostgreSQL and `Date` both represent.
 */
export function readTime(text: string): Date | null {
  const day = rfc3339.exec(text)?.[1];
  if (day === undefined) return null;
  const [time, start] = [new Date(text), new Date(`${day}T00:00:00Z`)];
  if (Number.isNaN(time.getTime()) || Number.isNaN(start.getTime())) return null;
  const year = time.getUTCFullYear();
  return start.toISOString().startsWith(day) && year >= 1 && year <= 9999 ? time : null;
}
