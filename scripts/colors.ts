import picocolors from 'picocolors';

// Not just truthy: for `undefined` the library would decide for itself, and it takes a CI's log for a terminal.
const terminal =
  process.stdout.isTTY === true && process.stderr.isTTY === true && process.env['NO_COLOR'] === undefined;

/** Colours on a terminal and nowhere else: not in pipes, files, or a CI's log. */
export const colors = picocolors.createColors(terminal);
