import { isMap, isScalar, isSeq, parse, parseDocument, type Node, type Pair, type YAMLSeq } from 'yaml';
import { LockageError } from '../errors.ts';
import { hostsOf } from './resolve/targets.ts';
import type { TargetFile } from './schema/targets.ts';
import type { SourceFile } from './source/source.ts';

/** A target as it is written into a file; what is absent is not written. */
export interface WrittenTarget {
  readonly name: string;
  readonly url: string;
  readonly address?: string;
  readonly identity?: string;
  readonly jump?: string;
  readonly hostKey?: string;
}

/**
 * Returns the text of an environment's file with one more target at the end of the list. Everything else stays as it is
 * written, down to the last comment. Throws LockageError where the list is not written in the file as a list.
 */
export function withTarget(file: SourceFile, target: WrittenTarget): string {
  const { text } = file;
  const list = listOf(file);
  const last = list.items.at(-1);
  if (last === undefined) throw notEditable(file);
  if (list.flow) return inFlowAfter(text, last, target);
  const indent = ' '.repeat(columnOf(text, startOf(list)));
  const lines = Object.entries(target).map(([key, value]) => `${key}: ${plain(value)}`);
  const item = lines.map((line, index) => `${indent}${index === 0 ? '- ' : '  '}${line}\n`).join('');
  const end = endOfLine(text, endOf(last));
  const isWhole = text[end - 1] === '\n';
  return spliced(text, end, 0, isWhole ? item : `\n${item}`);
}

/**
 * Returns the text without one target. A target that gets its name from its position has the name written down if it
 * would change: another name would be another host. Throws LockageError as `withTarget` does.
 */
export function withoutTarget(file: SourceFile, environment: string, index: number): string {
  const list = listOf(file);
  const written = list.toJSON() as TargetFile[];
  const now = hostsOf(environment, written, '/').map(({ name }) => name);
  const then = hostsOf(environment, written.toSpliced(index, 1), '/').map(({ name }) => name);
  // From the last to the first, so that positions earlier in the text stay valid.
  let { text } = file;
  for (const [each, item] of [...list.items.entries()].reverse()) {
    const name = now[each] ?? '';
    if (each === index) text = withoutItem(text, list, each);
    else if (then[each < index ? each : each - 1] !== name) text = withName(text, item, name);
  }
  return text;
}

function listOf(file: SourceFile): YAMLSeq<Node> {
  const document = parseDocument(file.text);
  const list: unknown = document.get('targets', true);
  if (document.errors.length > 0 || !isSeq(list)) throw notEditable(file);
  // An item that is written elsewhere, or is marked as shared, is not this file's line to change.
  if (!list.items.every((item) => (isMap(item) || isScalar(item)) && item.anchor === undefined))
    throw notEditable(file);
  return list as YAMLSeq<Node>;
}

function notEditable({ path }: SourceFile): LockageError {
  return new LockageError(`the targets in ${path} are not written as a plain list: nothing was changed`, {
    hint: 'Change them by hand.',
  });
}

function withoutItem(text: string, list: YAMLSeq<Node>, index: number): string {
  const item = list.items[index] as Node;
  const before = list.items[index - 1];
  const after = list.items[index + 1];
  if (list.flow) {
    if (before) return spliced(text, endOf(before), endOf(item) - endOf(before), '');
    const end = after ? startOf(after) : endOf(item);
    return spliced(text, startOf(item), end - startOf(item), '');
  }
  const start = text.lastIndexOf('\n', startOf(item) - 1) + 1;
  return spliced(text, start, endOfLine(text, endOf(item)) - start, '');
}

function withName(text: string, item: Node, name: string): string {
  if (!isMap(item)) {
    const url = text.slice(startOf(item), endOf(item));
    const asJson = url.startsWith('"');
    return spliced(
      text,
      startOf(item),
      url.length,
      asJson ? `{ "name": "${name}", "url": ${url} }` : `{ name: ${name}, url: ${url} }`,
    );
  }
  const [first] = item.items as Pair<Node>[];
  const at = first ? startOf(first.key) : startOf(item);
  const key = text[at] === '"' ? '"name": ' : 'name: ';
  const value = text[at] === '"' ? JSON.stringify(name) : name;
  const next = item.flow ? ', ' : `\n${' '.repeat(columnOf(text, at))}`;
  return spliced(text, at, 0, `${key}${value}${next}`);
}

/**
 * Inserts the target after the last item, or on a line of its own below it, if each item has one; whatever follows the
 * item on its line stays there.
 */
function inFlowAfter(text: string, last: Node, target: WrittenTarget): string {
  const item = inFlow(target, text);
  const indent = text.slice(text.lastIndexOf('\n', startOf(last) - 1) + 1, startOf(last));
  const end = endOfLine(text, endOf(last));
  const [rest, comma] = /^\s*(,?)\s*(?:#.*)?\n$/.exec(text.slice(endOf(last), end)) ?? [];
  if (rest === undefined || indent.trim() !== '') return spliced(text, endOf(last), 0, `, ${item}`);
  const below = spliced(text, end, 0, `${indent}${item}\n`);
  return comma === '' ? spliced(below, endOf(last), 0, ',') : below;
}

/** Writes the target on one line; as JSON if the whole file is JSON. */
function inFlow(target: WrittenTarget, text: string): string {
  const isJson = text.trimStart().startsWith('{');
  const members = Object.entries(target).map(([key, value]) =>
    isJson ? `${JSON.stringify(key)}: ${JSON.stringify(value)}` : `${key}: ${plain(value)}`,
  );
  return `{ ${members.join(', ')} }`;
}

/** Writes text as YAML reads it back, quoted if a reader might take it for something else. */
function plain(value: string): string {
  const isPlain = /^[A-Za-z0-9/~][A-Za-z0-9/._@:+-]*$/.test(value) && parse(value) === value;
  return isPlain && !/^[\d.:]+$/.test(value) ? value : `'${value.replaceAll("'", "''")}'`;
}

function startOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

/** Returns where a value ends; a block of lines ends with the value of its last line, before any comment. */
function endOf(node: Node): number {
  if ((isMap(node) || isSeq(node)) && !node.flow) {
    const last: unknown = node.items.at(-1);
    const value = isMap(node) ? ((last as Pair<Node, Node>).value ?? (last as Pair<Node>).key) : last;
    return endOf(value as Node);
  }
  return node.range?.[1] ?? 0;
}

function endOfLine(text: string, at: number): number {
  const newline = text.indexOf('\n', at);
  return newline < 0 ? text.length : newline + 1;
}

function columnOf(text: string, at: number): number {
  return at - (text.lastIndexOf('\n', at - 1) + 1);
}

function spliced(text: string, at: number, remove: number, insert: string): string {
  return text.slice(0, at) + insert + text.slice(at + remove);
}
