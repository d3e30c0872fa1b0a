import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command, CommanderError } from 'commander';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { loadConfiguration } from '../pipelines/config/load.ts';
import { messageOf } from '../pipelines/errors.ts';
import { environmentFile, projectFile } from '../pipelines/config/schema/files.ts';
import { jsonSchemas } from '../pipelines/config/schema/json-schema.ts';
import { validate } from '../pipelines/config/schema/validate.ts';
import { parseSource } from '../pipelines/config/source/source.ts';

// What somebody pastes from the docs: configuration is read by its own schema, commands by the command line's own parser.

const root = resolve(import.meta.dirname, '..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const pages = ['README.md', 'CONTRIBUTING.md', ...readdirSync(join(root, 'docs')).map((name) => join('docs', name))];
const everything = pages.map(read).join('\n');

/** The blocks of a page in these languages. */
function blocks(text: string, languages: string): string[] {
  const found = text.matchAll(new RegExp(`^( *)\`\`\`(?:${languages})\\n([\\s\\S]*?)^\\1\`\`\``, 'gm'));
  return [...found].map(([, indent = '', block = '']) => block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''));
}

describe('the configuration in the docs', () => {
  const examples = pages.flatMap((page) =>
    blocks(read(page), 'yaml').map((text) => [page, text.split('\n')[0], text] as const),
  );

  test('is much', () => expect(examples.length).toBeGreaterThan(20));

  test.each(examples)('is as its schema wants it: %s, %s', (_page, _line, text) =>
    expect(problemsOf(text)).toEqual([]),
  );

  test.each([
    ['# lockage.yaml\napp: shop\nrole: {}', ['role  unknown key, did you mean roles?']],
    [
      '# environments/prod.yaml\nedge: { limits: { memory: 1GB } }',
      ['edge.limits.memory  expected a size such as 256MiB or 1GiB, got "1GB"'],
    ],
    ['# lockage.yaml\ntargets: [unix:///x]', ['targets  unknown key']],
    ['# lockage.yaml, or environments/prod.yaml, which then holds for prod alone\nsame: [engine]', []],
    ['soak: 2h', []],
  ])('would be found otherwise: %j', (text, problems) => expect(problemsOf(text)).toEqual(problems));

  test('of the README loads as a whole', () => {
    const files = blocks(read('README.md'), 'yaml').map((text) => ({ path: /^# (\S+)/.exec(text)?.[1] ?? '', text }));
    const { app, environments } = loadConfiguration(files, '/shop');
    expect([app, ...environments.map(({ name }) => name)]).toEqual(['shop', 'dev', 'prod']);
  });

  test('has every key that there is', () => {
    const keys = Object.values(jsonSchemas()).flatMap((schema) => keysOf(JSON.parse(schema) as Node));
    expect(keys.length).toBeGreaterThan(100);
    const missing = keys.filter((key) => !new RegExp(`[\`.{ ,(\\n]${key}[\`:.]`).test(everything));
    expect([...new Set(missing)]).toEqual([]);
  });
});

/** What is wrong with a piece of a file: a comment at its top may say of which. Nothing is missing in a piece. */
function problemsOf(text: string): string[] {
  const [title = ''] = text.split('\n');
  const kinds = [/# lockage\.yaml/, /environments\/\w+\.yaml/].map((kind) => kind.test(title));
  const source = parseSource({ path: 'example', text: text.replaceAll('…', 'AAAA') });
  const found = [projectFile, environmentFile].map((schema) =>
    [...source.problems, ...validate(source, schema).problems]
      .filter(({ path, message }) => path.length > 1 || !message.startsWith('is missing'))
      // What stands there in place of a key cannot be one.
      .filter(({ path }) => path[0] !== 'keys' || path.at(-1) !== 'public')
      .map(({ path, message }) => `${path.join('.')}  ${message}`),
  );
  if (!kinds.includes(true)) return found.find((problems) => problems.length === 0) ?? found.flat();
  return found.filter((_, index) => kinds[index]).flat();
}

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly anyOf?: readonly Node[];
  readonly items?: Node;
  readonly additionalProperties?: Node | boolean;
}

/** The keys of a JSON Schema, but the names that the system has for limits. */
function keysOf({ properties = {}, anyOf = [], items, additionalProperties }: Node): string[] {
  const below = [...anyOf, ...(items ? [items] : []), additionalProperties].filter((node) => typeof node === 'object');
  return [
    ...Object.entries(properties).flatMap(([key, node]) => [key, ...(key === 'ulimits' ? [] : keysOf(node))]),
    ...below.flatMap(keysOf),
  ];
}

describe('the commands in the docs', () => {
  let program: Command;
  beforeAll(async () => {
    program = await commandLine();
  });

  const shown = pages.flatMap((page) =>
    blocks(read(page), 'sh|console|text').flatMap((block) => linesOf(block).map((line) => [page, line] as const)),
  );
  const named = pages.flatMap((page) =>
    [...withoutBlocks(read(page)).matchAll(/`(lockage [^`]*)`/g)]
      .map(([, line = '']) => line.replace('COMMAND --help', 'promote --help'))
      .filter((line) => line !== whatIsSigned)
      .map((line) => [page, line] as const),
  );
  const helped = () => allOf(program).flatMap((command) => examplesOf(command));

  test('are many', () => expect([shown.length > 80, named.length > 100]).toEqual([true, true]));

  test.each(shown)('%s: %s', (_page, line) => expect(misunderstood(program, line)).toBeUndefined());

  test.each(named)('%s names %s', (_page, line) =>
    expect(misunderstood(program, line, 'may be cut short')).toBeUndefined(),
  );

  test('those in the help of commands, too', () => {
    const lines = helped();
    expect(lines.length).toBeGreaterThan(30);
    expect(lines.flatMap((line) => misunderstood(program, line) ?? [])).toEqual([]);
  });

  test.each([
    ['lockage promote 1.0.0 dev', /too many arguments/],
    ['lockage promote', /missing required argument/],
    ['lockage status --chek', /unknown option '--chek'/],
    ['lockage hosts ls', /unknown command/],
    ['lockage deploy 1.0.0', /there is no command deploy/],
    ['lockage release --bump mayor', /Allowed choices/],
    ['lockage why 1.0.0', /required option/],
    ['lockage verify ENV [--job NAME]', undefined],
    ['lockage exec --env prod --role web -- id -u', undefined],
  ])('%s is understood or not', (line, problem) => {
    const found = misunderstood(program, line);
    if (problem) expect(found).toMatch(problem);
    else expect(found).toBeUndefined();
  });

  test('are all that there are', () => {
    const lines = everything.replaceAll(/\s+/g, ' ');
    const visible = allOf(program).filter(({ parent }) => parent);
    const unnamed = visible.map(pathOf).filter((path) => {
      const [last = ''] = path.split(' ').slice(-1);
      return !lines.includes(path) && !lines.includes(`\`${last}\``);
    });
    expect([visible.length > 50, unnamed]).toEqual([true, []]);
  });

  test('of npm are in package.json', () => {
    const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Readonly<Record<string, string>> };
    const run = [...everything.matchAll(/npm run ([a-z:]+)/g)].map(([, name = '']) => name);
    expect(run.length).toBeGreaterThan(30);
    expect(run.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
  });
});

/** Returns the command line as `lockage` has it, without running anything. */
async function commandLine(): Promise<Command> {
  vi.spyOn(process, 'exit').mockImplementation((() => undefined) as never);
  const parsing = vi.spyOn(Command.prototype, 'parseAsync').mockResolvedValue(new Command());
  const before = process.listeners('uncaughtException');
  await import('../scripts/cli/main.ts');
  await vi.waitUntil(() => vi.mocked(process.exit).mock.calls.length > 0);
  const found = parsing.mock.contexts[0] as Command | undefined;
  vi.restoreAllMocks();
  for (const listener of process.listeners('uncaughtException'))
    if (!before.includes(listener)) process.off('uncaughtException', listener);
  if (!found) throw new Error('the command line was not read');
  for (const command of allOf(found)) {
    command.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
    // Groups have none, and only show their help.
    if (Reflect.get(command, '_actionHandler')) command.action(() => undefined);
  }
  return found;
}

/** A command and all below it; what is hidden answers with another one. */
function allOf(command: Command): Command[] {
  const below = command.commands.filter((each) => !Reflect.get(each, '_hidden'));
  return [command, ...below.flatMap(allOf)];
}

function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}

/** It begins what a signature is over, and is no command. */
const whatIsSigned = 'lockage audit 1';

/** Why the command line does not understand a line; `may be cut short`: what has to come yet is not there. */
function misunderstood(program: Command, line: string, kind?: 'may be cut short'): string | undefined {
  const words = wordsOf(line).slice(1);
  try {
    program.parse(words, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) return messageOf(error);
    const isShort = ['help', 'missingArgument', 'optionMissingArgument', 'missingMandatoryOptionValue'];
    if (error.code === 'commander.helpDisplayed') return undefined;
    if (kind && isShort.includes(error.code.replace('commander.', ''))) return undefined;
    return `${line}: ${error.message}`;
  }
  return undefined;
}

/** The words of a line of a shell. What may be left out is there, and what goes on is not. */
function wordsOf(line: string): string[] {
  const found = line.replaceAll(/(?<![\w@])\[(-[^\]]*|[A-Z]+)\]/g, '$1').matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g);
  return [...found].map(([, double, single, plain = '']) => double ?? single ?? plain);
}

/** The commands of ours in a block, without comments. */
function linesOf(block: string): string[] {
  return block
    .split('\n')
    .map((line) => line.replace(/^\$ /, '').replace(/\s+#.*$/, ''))
    .flatMap((line) => line.split(' && '))
    .filter((line) => /^(npx )?lockage /.test(line));
}

function withoutBlocks(text: string): string {
  return text.replaceAll(/^( *)```[\s\S]*?^\1```/gm, '').replaceAll(/\s+/g, ' ');
}

function examplesOf(command: Command): string[] {
  let text = '';
  command.configureOutput({ writeOut: (part) => void (text += part) });
  command.outputHelp();
  command.configureOutput({ writeOut: () => undefined });
  return [...text.matchAll(/^ {2}\$ (lockage .*?)(?: {3,}.*)?$/gm)].map(([, line = '']) => line.replace(/\s+#.*$/, ''));
}
