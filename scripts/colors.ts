import picocolors from 'picocolors';

const terminal = process.stdout.isTTY && process.stderr.isTTY && process.env['NO_COLOR'] === undefined;

/** Colours on a terminal and nowhere else: not in pipes, files, or a CI's log. */
export const colors = picocolors.createColors(terminal);
