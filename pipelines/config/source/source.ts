import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Alias,
  type Document,
  type Node,
  type Pair,
} from 'yaml';
import type { Path, Problem } from './problem.ts';

/** A configuration file as it was read, with its path relative to the project's root. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** why it has no text */
  readonly problem?: string;
}

/** A parsed file: its plain value, its errors as YAML, and the line of each value. */
export interface Source {
  readonly path: string;
  readonly value: unknown;
  readonly problems: readonly Problem[];
  /** the line of a value's key, or of the nearest thing above it that is written in the file */
  readonly lineOf: (path: Path) => number;
  readonly has: (path: Path) => boolean;
}

/** The configuration's files, parsed: lockage.yaml and each environment's by name. */
export interface Sources {
  readonly project: Source;
  readonly environments: ReadonlyMap<string, Source>;
}

export const maximumFileSize = 2 ** 20;
const maximumDepth = 64;
const maximumNodes = 10_000;
const maximumAliases = 100;

/** Keys that may be empty, as when all lines below them are commented out. */
const sections = new Set([
  ...['env', 'secrets', 'roles', 'accessories', 'targets', 'build', 'args', 'edge'],
  ...['limits', 'hardening', 'tmpfs', 'volumes', 'health', 'hosts', 'pipeline'],
]);

/** Keys below which values are text as written: `1.10` stays `1.10`. */
const verbatim = new Set(['env', 'args']);

/** Reads YAML 1.2 without ever throwing: whatever is wrong becomes a problem with its line. */
export function parseSource(file: SourceFile): Source {
  const refusal = refuse(file);
  if (refusal !== undefined) return emptySource(file.path, refusal);
  const lines = new LineCounter();
  let document: Document.Parsed;
  try {
    document = parseDocument(file.text.replace(/^\uFEFF/, ''), {
      lineCounter: lines,
      schema: 'core',
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: 'error',
    });
  } catch (error) {
    if (error instanceof RangeError) return emptySource(file.path, { line: 1, message: 'is nested too deeply' });
    throw error;
  }
  const lineAt = (offset: number) => Math.max(1, lines.linePos(offset).line);
  const problems: Problem[] = [...document.errors, ...document.warnings].map((error) => ({
    file: file.path,
    line: lineAt(error.pos[0]),
    path: [],
    message: yamlMessage(error.code, error.message),
  }));
  const reader = new Reader(file.path, document, lineAt);
  const value = problems.length === 0 ? reader.read(document.contents) : undefined;
  return {
    path: file.path,
    value,
    problems: [...problems, ...reader.problems],
    lineOf: (path) => lineAt(find(document, path).offset),
    has: (path) => find(document, path).complete,
  };
}

function refuse({ text, problem }: SourceFile): { line: number; message: string } | undefined {
  if (problem !== undefined) return { line: 1, message: problem };
  if (Buffer.byteLength(text) > maximumFileSize) return { line: 1, message: 'is larger than 1 MiB' };
  const nul = text.indexOf('\0');
  if (nul >= 0)
    return { line: text.slice(0, nul).split('\n').length, message: 'contains a NUL character: is this a text file?' };
  return undefined;
}

function emptySource(path: string, problem: { line: number; message: string }): Source {
  return {
    path,
    value: undefined,
    problems: [{ file: path, path: [], ...problem }],
    lineOf: () => 1,
    has: () => false,
  };
}

/** A reader that turns nodes into plain values and collects what a schema cannot see any more. */
class Reader {
  readonly problems: Problem[] = [];
  readonly #file: string;
  readonly #document: Document.Parsed;
  readonly #lineAt: (offset: number) => number;
  #nodes = 0;
  #aliases = 0;

  constructor(file: string, document: Document.Parsed, lineAt: (offset: number) => number) {
    this.#file = file;
    this.#document = document;
    this.#lineAt = lineAt;
  }

  read(node: Node | null): unknown {
    const value = this.#value(node, [], node);
    return this.#nodes > maximumNodes ? undefined : value;
  }

  #value(node: Node | null, path: Path, at: Node | null): unknown {
    // Counted after aliases are followed, so that ten lines cannot stand for a billion values.
    if (++this.#nodes > maximumNodes) {
      if (this.#nodes === maximumNodes + 1) this.#problem([], node, 'stands for more than 10000 values');
      return undefined;
    }
    if (path.length > maximumDepth) {
      this.#problem(path.slice(0, 8), at, 'is nested too deeply');
      return undefined;
    }
    if (isAlias(node)) return this.#alias(node, path);
    if (isMap(node)) return this.#mapping(node.items, path, at);
    if (isSeq(node))
      return node.items.map((item, index) => this.#value(item as Node | null, [...path, index], item as Node));
    if (isScalar(node)) return this.#scalar(node.value, node.source, path, at);
    return null;
  }

  #alias(alias: Alias, path: Path): unknown {
    // Finding an anchor walks the whole file.
    if (++this.#aliases > maximumAliases) {
      if (this.#aliases === maximumAliases + 1)
        this.#problem(path, alias, `is more than the ${maximumAliases} aliases allowed`);
      return undefined;
    }
    const target = alias.resolve(this.#document);
    if (target === undefined) {
      this.#problem(path, alias, `alias *${alias.source} has no anchor`);
      return undefined;
    }
    return this.#value(target, path, alias);
  }

  #scalar(value: unknown, source: string | undefined, path: Path, at: Node | null): unknown {
    if (typeof value === 'string' && value.includes('\0')) {
      this.#problem(path, at, 'contains a NUL character');
      return undefined;
    }
    const keepsText = isVerbatim(path) && value !== null && typeof value !== 'string';
    return keepsText && source !== undefined ? source : value;
  }

  #mapping(items: readonly Pair[], path: Path, at: Node | null): Record<string, unknown> {
    const mapping: Record<string, unknown> = {};
    const firstLines = new Map<string, number>();
    for (const { key: keyNode, value: valueNode } of items) {
      const key = keyText(keyNode);
      const place = (keyNode as Node | null) ?? at;
      if (key === undefined) {
        this.#problem(path, place, 'has a key that is not text');
        continue;
      }
      if (key === '<<') {
        this.#problem(
          [...path, key],
          place,
          'merge keys are not supported: environment files merge over lockage.yaml by themselves',
        );
        continue;
      }
      // An own member of that name could reach a prototype when settings are merged.
      if (key === '__proto__') {
        this.#problem([...path, key], place, 'unknown key');
        continue;
      }
      const first = firstLines.get(key);
      if (first !== undefined) {
        this.#problem([...path, key], place, `is written twice, first on line ${first}`);
        continue;
      }
      firstLines.set(key, this.#line(place));
      const value = this.#value(valueNode as Node | null, [...path, key], valueNode as Node | null);
      if (value === null && path[0] === 'roles' && path.length === 1) mapping[key] = {};
      else if (value !== null || !sections.has(key)) mapping[key] = value;
    }
    return mapping;
  }

  #problem(path: Path, node: Node | null, message: string): void {
    this.problems.push({ file: this.#file, line: this.#line(node), path, message });
  }

  #line(node: Node | null): number {
    return this.#lineAt(node?.range?.[0] ?? 0);
  }
}

function isVerbatim(path: Path): boolean {
  const parent = path.at(-2);
  if (typeof parent !== 'string' || !verbatim.has(parent)) return false;
  // `roles.env.port` is the port of a role that is called env.
  return !(path.length === 3 && (path[0] === 'roles' || path[0] === 'accessories' || path[0] === 'secrets'));
}

function keyText(key: unknown): string | undefined {
  if (!isScalar(key)) return undefined;
  return typeof key.value === 'string' ? key.value : key.source;
}

function find(document: Document.Parsed, path: Path): { offset: number; complete: boolean } {
  let node: unknown = document.contents;
  let offset = document.contents?.range[0] ?? 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && keyText(item.key) === step);
      if (pair === undefined) return { offset, complete: false };
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      // A step into a list of names may be the name itself, so that it can be told from its neighbours without
      // counting.
      const index =
        typeof step === 'number' ? step : node.items.findIndex((item) => isScalar(item) && item.value === step);
      if (index < 0 || index >= node.items.length) return { offset, complete: false };
      node = node.items[index];
      offset = (node as Node | null)?.range?.[0] ?? offset;
    } else {
      return { offset, complete: false };
    }
  }
  return { offset, complete: true };
}

/** Returns the parser's message, except for words that assume its programming interface. */
function yamlMessage(code: string, message: string): string {
  if (code === 'TAB_AS_INDENT') return 'is indented with a tab: YAML wants spaces';
  if (code === 'MULTIPLE_DOCS') return 'has more than one document: remove the line ---';
  if (code === 'TAG_RESOLVE_FAILED') return `has a tag that is not supported: ${message}`;
  return `is not valid YAML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`;
}
