import { isatty } from 'node:tty';
import picocolors from 'picocolors';

const terminal = isatty(1) && isatty(2) && process.env['NO_COLOR'] === undefined;

/** Colours on a terminal and nowhere else: not in pipes, files, or a CI log. */
export const colors = picocolors.createColors(terminal);
