import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { addOtherWords, nameOwnHelp } from '../../../scripts/cli/name-help.ts';

/** What a command line that knows some of our commands answers. */
function answerTo(...words: string[]): { readonly said: string; readonly error: unknown } {
  let said = '';
  const program = new Command('lockage')
    .showHelpAfterError('(lockage --help lists the commands)')
    .exitOverride()
    .configureOutput({ writeErr: (text) => void (said += text), writeOut: (text) => void (said += text) });
  program
    .command('promote')
    .argument('<version>')
    .option('--to <environment>')
    .action(() => undefined);
  program
    .command('destroy')
    .argument('<environment>')
    .action(() => undefined);
  program
    .command('host')
    .command('ls')
    .argument('[environment]')
    .action(() => undefined);
  addOtherWords(program);
  nameOwnHelp(program);
  try {
    program.parse(words, { from: 'user' });
    return { said, error: undefined };
  } catch (error) {
    return { said, error };
  }
}

describe('a command line that is not understood', () => {
  test.each([
    [['promote', '1.0.0', 'dev'], 'too many arguments', '(`lockage promote --help` says what it takes)'],
    [['promote'], "missing required argument 'version'", '(`lockage promote --help` says what it takes)'],
    [['host', 'ls', 'dev', 'prod'], 'too many arguments', '(`lockage host ls --help` says what it takes)'],
    [['host', 'lst'], "unknown command 'lst'", '(`lockage host --help` says what it takes)'],
    [['promot'], 'Did you mean promote?', '(lockage --help lists the commands)'],
  ])('names the help that has the answer: %j', (words, problem, help) => {
    const { said } = answerTo(...words);
    expect(said).toContain(problem);
    expect(said).toContain(help);
  });

  test.each([
    ['deploy', ['1.0.0', '--to', 'prod'], 'lockage promote VERSION --to ENVIRONMENT'],
    ['deploy', [], 'lockage promote VERSION --to ENVIRONMENT'],
    ['deploy', ['--help'], 'lockage promote VERSION --to ENVIRONMENT'],
    ['build', ['.'], 'lockage release VERSION'],
    ['ps', [], 'lockage status'],
  ])('that other tools have is answered by ours, and never by what removes: %s %j', (word, more, ours) => {
    const { said, error } = answerTo(word, ...more);
    expect(error).toMatchObject({ message: `there is no command ${word}`, hint: expect.stringContaining(ours) });
    expect(said).not.toContain('destroy');
  });

  test('is no row of the help for what other tools have', () => {
    const { said } = answerTo('--help');
    expect(said).toContain('promote');
    expect(said).not.toMatch(/deploy|build/);
  });
});
