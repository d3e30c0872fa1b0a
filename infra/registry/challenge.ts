/** A way to log in that a server offers, RFC 9110: `Bearer realm="…",service="…"`. */
export interface Challenge {
  /** in small letters: `bearer` */
  readonly scheme: string;
  /** by their names in small letters */
  readonly parameters: ReadonlyMap<string, string>;
}

const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const space = /[\s,]*/y;
const equals = /\s*=\s*/y;
const quoted = /"((?:[^"\\]|\\[\s\S])*)"/y;
/** What some servers leave without quotes has slashes and colons, too. */
const bare = /[^\s,"]+/y;
const longest = 8192;

/**
 * Reads the challenges of a WWW-Authenticate header, which may have several, in one line or in many. What is no challenge ends the
 * list.
 */
export function parseChallenges(header: string): Challenge[] {
  const text = header.slice(0, longest);
  const found: { scheme: string; parameters: Map<string, string> }[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(text) ?? undefined;
    if (match) at += match[0].length;
    return match;
  };
  for (;;) {
    take(space);
    const name = take(token)?.[0];
    if (name === undefined) return found;
    const current = found.at(-1);
    if (!take(equals)) {
      found.push({ scheme: name.toLowerCase(), parameters: new Map() });
      continue;
    }
    const inQuotes = take(quoted)?.[1];
    const value = inQuotes?.replace(/\\([\s\S])/g, '$1') ?? take(bare)?.[0];
    if (!current || value === undefined) return found;
    const key = name.toLowerCase();
    if (!current.parameters.has(key)) current.parameters.set(key, value);
  }
}
