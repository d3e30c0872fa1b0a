import type { Variables } from '../../infra/system/environment.ts';

/** What a terminal acts on instead of showing it: control characters, and what turns the order of text round. */
const unseen = String.raw`\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069`;
const hidden = new RegExp(`[${unseen}]`, 'g');
/** The colours that Lockage itself prints with: they change how text looks, and not where it is. */
const colourOrHidden = new RegExp(String.raw`\u001b\[(?:[0-2]|22|3[1-69])m|[${unseen}]`, 'g');
/** The beginnings of what runners of GitHub and Azure carry out, anywhere in a line of a log, or as the first thing of one. */
const command = /#(?=#(?:vso)?\[)|(?<=^\s*):(?=:)/gim;
/** The same in JSON, of which no line begins with what is in a text. */
const commandInJson = /#(?=#(?:vso)?\[)/gi;

/** The output that text is shown in. */
export interface Output {
  /** it shows colours */
  readonly coloured: boolean;
  /** it is the log of a CI's job, whose runner carries out the commands that it finds there */
  readonly commanded: boolean;
}

/** Returns whether a runner of GitHub or Azure looks for commands in what a process with these variables prints. */
export function isCommanded({ GITHUB_ACTIONS: github, TF_BUILD: azure }: Variables): boolean {
  return github === 'true' || azure === 'True';
}

/**
 * Returns text as it may be shown: containers, hosts, registries and other operators write what is in it, and none of them may
 * move the cursor, take the clipboard, say in Lockage's place what it did, or give a CI's runner a command.
 */
export function visible(text: string, { coloured, commanded }: Output): string {
  const shown = coloured
    ? text.replace(colourOrHidden, (found) => (found.length > 1 ? found : escaped(found)))
    : text.replace(hidden, escaped);
  return commanded ? shown.replace(command, escaped) : shown;
}

/** Returns a JSON document that says the same, with nothing in it that a terminal, or a CI's runner, acts on. */
export function visibleJson(document: string, { commanded }: Pick<Output, 'commanded'>): string {
  const shown = document.replace(hidden, escapedInJson);
  return commanded ? shown.replace(commandInJson, escapedInJson) : shown;
}

function escapedInJson(character: string): string {
  return `\\u${hex(character, 4)}`;
}

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${hex(character, 2)}` : `\\u${hex(character, 4)}`;
}

function hex(character: string, digits: number): string {
  return character.charCodeAt(0).toString(16).padStart(digits, '0');
}
