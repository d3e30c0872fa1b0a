import { colors } from '../tools/colors.ts';

/** The screen that the demo writes to: headings, the commands it runs with their output indented, and what held. */
export const screen = {
  heading(text: string): void {
    console.log(`\n${colors.bold(text)}`);
  },
  line(text = ''): void {
    console.log(text);
  },
  /** Prints a command as a user would type it. */
  command(words: readonly string[]): void {
    console.log(`\n  ${colors.cyan('$')} ${words.join(' ')}`);
  },
  /** Prints a line of another program. */
  quote(text: string): void {
    console.log(`    ${colors.dim(text)}`);
  },
  held(text: string): void {
    console.log(`  ${colors.green('✓')} ${text}`);
  },
  failed(text: string): void {
    console.log(`  ${colors.red('✗')} ${text}`);
  },
};
