/** What a terminal acts on instead of showing it: control characters, and what turns the order of text round. */
const unseen = String.raw`\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069`;
const hidden = new RegExp(`[${unseen}]`, 'g');
/** The colours that Lockage itself prints with: they change how text looks, and not where it is. */
const colourOrHidden = new RegExp(String.raw`\u001b\[(?:[0-2]|22|3[1-69])m|[${unseen}]`, 'g');
/** What a JSON parser takes in a text, and a terminal does not show. */
const hiddenInJson = new RegExp(`[${unseen}]`, 'g');

/**
 * Returns text as it may go to a terminal: containers, hosts, registries and other operators write what is in it, and none
 * of them may move the cursor, take the clipboard or say in Lockage's place what it did.
 */
export function visible(text: string, coloured: boolean): string {
  if (!coloured) return text.replace(hidden, escaped);
  return text.replace(colourOrHidden, (found) => (found.length > 1 ? found : escaped(found)));
}

/** Returns a JSON document that says the same, with nothing in it that a terminal acts on. */
export function visibleJson(document: string): string {
  return document.replace(hiddenInJson, (found) => `\\u${hex(found, 4)}`);
}

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${hex(character, 2)}` : `\\u${hex(character, 4)}`;
}

function hex(character: string, digits: number): string {
  return character.charCodeAt(0).toString(16).padStart(digits, '0');
}
