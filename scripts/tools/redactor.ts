const mask = '[secret]';

const shortestMasked = 4;

/**
 * Replaces secret values in text that is about to be shown: as they are, each line of those with several, and in
 * base64, URL-encoded and JSON-escaped form. Values under 4 characters are left alone, as every second word would match.
 */
export class Redactor {
  #forms: string[] = [];

  constructor(values: Iterable<string> = []) {
    this.add(values);
  }

  /** Masks these values too, from now on. */
  add(values: Iterable<string>): void {
    const forms = new Set(this.#forms);
    for (const value of values) for (const form of writtenForms(value)) forms.add(form);
    // The longest first: a value may contain another one.
    this.#forms = [...forms].sort((a, b) => b.length - a.length);
  }

  redact(text: string): string {
    return this.#forms.reduce((masked, form) => (masked.includes(form) ? masked.replaceAll(form, mask) : masked), text);
  }
}

function writtenForms(value: string): string[] {
  const lines = value.split(/\r?\n/).map((line) => line.trim());
  const pieces = [value, value.trim(), ...(lines.length > 1 ? lines : [])].filter(
    (piece) => piece.length >= shortestMasked,
  );
  return pieces.flatMap((piece) => {
    const json = JSON.stringify(piece).slice(1, -1);
    return [
      ...[piece, json, JSON.stringify(json).slice(1, -1)],
      ...[encodeURIComponent(piece), encodeURIComponent(piece).replaceAll('%20', '+'), encodeURI(piece)],
      ...base64Forms(piece),
    ];
  });
}

/**
 * Returns a value's base64 forms: inside something that was encoded as a whole, it shows in one of three ways, by where
 * it begins.
 */
function base64Forms(value: string): string[] {
  const bytes = Buffer.from(value);
  const aligned = [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    const start = offset === 0 ? 0 : offset + 1;
    const isWhole = (bytes.length + offset) % 3 === 0;
    return encoded.slice(start, isWhole ? undefined : -1);
  });
  return [bytes.toString('base64'), ...aligned]
    .filter((form) => form.length >= 6)
    .flatMap((form) => [form, form.replaceAll('+', '-').replaceAll('/', '_')]);
}
