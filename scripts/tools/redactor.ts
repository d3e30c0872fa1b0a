const mask = '[secret]';

/** The shortest value that is masked: every second word has a shorter one in it. */
export const shortestMasked = 4;
/** Parts of a value are only looked for from this length on: shorter ones are words that mean nothing. */
const shortestPart = 8;
/** How many characters are looked for in every form each; a certificate or two. More are looked for in the usual forms. */
const mostCharacters = 16_384;
const longestPattern = 1024;

/**
 * A redactor, which replaces secret values in text that is about to be shown: as they are, each line of those with
 * several, the password of a URL and the texts of a JSON document, and each of these as it is written elsewhere: in
 * base64 or hexadecimal, with any of its characters as URLs, JSON, Go, Python or a shell write them.
 */
export class Redactor {
  readonly #pieces = new Set<string>();
  #forms: readonly (RegExp | string)[] | undefined;

  constructor(values: Iterable<string> = []) {
    this.add(values);
  }

  /** Masks these values too, from now on. */
  add(values: Iterable<string>): void {
    const before = this.#pieces.size;
    for (const value of values) for (const piece of piecesOf(value)) this.#pieces.add(piece);
    if (this.#pieces.size > before) this.#forms = undefined;
  }

  redact(text: string): string {
    this.#forms ??= formsOfAll(this.#pieces);
    return this.#forms.reduce<string>((masked, form) => masked.replaceAll(form, mask), text);
  }

  /** Returns a value as JSON has it, with secrets masked in its texts alone, so that it is JSON afterwards. */
  redactTexts(value: unknown): unknown {
    const masked = (_key: string, member: unknown) => (typeof member === 'string' ? this.redact(member) : member);
    return JSON.parse(JSON.stringify(value ?? null, masked)) as unknown;
  }
}

/** Returns the forms of all values, the longest first: a value may contain another one. */
function formsOfAll(pieces: ReadonlySet<string>): (RegExp | string)[] {
  let left = mostCharacters;
  const shortFirst = [...pieces]
    .sort((a, b) => a.length - b.length)
    .map((piece) => {
      left -= piece.length;
      const inFull = left > 0 && piece.length <= longestPattern;
      return inFull ? [patternOf(piece)] : [...usual(piece), ...base64Forms(piece)];
    });
  return shortFirst.reverse().flat();
}

function patternOf(piece: string): RegExp {
  const hexadecimal = anyCase(Buffer.from(piece).toString('hex'));
  return new RegExp([writtenAs(piece), ...base64Forms(piece).map(literal), hexadecimal].join('|'), 'g');
}

function piecesOf(value: string): string[] {
  const lines = value.split(/\r?\n/).map((line) => line.trim());
  const whole = [value, value.trim(), ...(lines.length > 1 ? lines : [])];
  const parts = [...passwordOf(value), ...textsOf(value)].filter((part) => part.length >= shortestPart);
  return [...whole, ...parts].filter((piece) => piece.trim().length >= shortestMasked);
}

/** Returns the password in a URL, as it is written there and as it is. */
function passwordOf(value: string): string[] {
  const written = URL.canParse(value.trim()) ? new URL(value.trim()).password : '';
  try {
    return [written, decodeURIComponent(written)];
  } catch {
    return [written];
  }
}

/** Returns the texts of a JSON document, such as the key of a service's account. */
function textsOf(value: string): string[] {
  if (!/^\s*[[{]/.test(value)) return [];
  const texts: string[] = [];
  const keep = (_key: string, member: unknown) => {
    if (typeof member === 'string') texts.push(member, ...member.split('\n'));
    return member;
  };
  try {
    JSON.parse(value, keep);
  } catch {
    return [];
  }
  return texts;
}

/** Returns a pattern of a text with each character as anything may write it. */
function writtenAs(piece: string): string {
  return Array.from(piece, (character) => `(?:${formsOf(character).join('|')})`).join('');
}

/** Returns a piece as it is, and as JSON and URLs write it. */
function usual(piece: string): string[] {
  return [piece, JSON.stringify(piece).slice(1, -1), encodeURIComponent(piece)];
}

const named: Readonly<Record<string, string>> = { '\n': 'n', '\r': 'r', '\t': 't', '\f': 'f', '\b': 'b' };

function formsOf(character: string): string[] {
  const bytes = [...Buffer.from(character)].map((byte) => byte.toString(16).padStart(2, '0'));
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at).toString(16));
  const name = named[character];
  return [
    literal(character),
    bytes.map((byte) => `%${anyCase(byte)}`).join(''),
    units.map((unit) => String.raw`\\+u${anyCase(unit.padStart(4, '0'))}`).join(''),
    bytes.map((byte) => String.raw`\\+x${anyCase(byte)}`).join(''),
    ...(name === undefined ? [] : [String.raw`\\+${name}`]),
    ...(character === ' ' ? [String.raw`\+`] : []),
    ...(character === "'" ? [String.raw`'\\+''`, `'"'"'`] : []),
    // A program that quotes puts backslashes before what it could take for something else.
    ...(/^[^\p{L}\p{N}\s]$/u.test(character) ? [String.raw`\\+${literal(character)}`] : []),
  ];
}

function anyCase(hex: string): string {
  return hex.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`);
}

/**
 * Returns a value's base64 forms: inside something that was encoded as a whole, it shows in one of three ways, by where
 * it begins.
 */
function base64Forms(value: string): string[] {
  const bytes = Buffer.from(value);
  const aligned = [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    const start = offset === 0 ? 0 : offset + 1;
    const isWhole = (bytes.length + offset) % 3 === 0;
    return text.slice(start, isWhole ? undefined : -1);
  });
  return [bytes.toString('base64'), ...aligned]
    .filter((form) => form.length >= 6)
    .flatMap((form) => [form, form.replaceAll('+', '-').replaceAll('/', '_')]);
}
