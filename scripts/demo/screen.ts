import { colors } from '../tools/colors.ts';

/** What the demo writes: headings, the commands it runs with their output set back, and what held. */
export const screen = {
  heading(text: string): void {
    console.log(`\n${colors.bold(text)}`);
  },
  line(text = ''): void {
    console.log(text);
  },
  /** a command as a user would type it */
  command(words: readonly string[]): void {
    console.log(`\n  ${colors.cyan('$')} ${words.join(' ')}`);
  },
  /** a line that something else said */
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
