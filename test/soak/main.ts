/**
 * `npm run soak`: an environment on hosts of its own, with visitors, to which operations and faults come in random order
 * for as long as is wished. What was done, what failed and what was lost is a report.
 */
import { randomInt } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { failuresOf, isGood } from './journal.ts';
import { reportOf } from './report.ts';
import { Soak, stepsNamed, type SoakOptions } from './soak.ts';

const help = `Usage: npm run soak -- --minutes N [options]

Plays operations and faults in random order on an environment of three hosts with visitors, and looks at everything
after each. Ends with 1 when anything was wrong.

Options:
  --minutes N    how long (default 10); what it is at then is ended
  --seed N       the same order and choices as a run before
  --rate N       requests a second to each host (default 20)
  --only TEXTS   steps with one of these in their names, with commas between
  --report FILE  write the report there (Markdown), not to the output
  --json FILE    write all of it there, too
  --list         the names of the steps
  --help         this text`;

interface Flags extends SoakOptions {
  readonly report?: string;
  readonly json?: string;
}

async function main(): Promise<number> {
  const flags = read(process.argv.slice(2));
  if (typeof flags === 'number') return flags;
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    console.log('a soak makes hosts of its own, for which it must run as root on Linux');
    return 1;
  }
  console.log(`seed ${flags.seed}, ${flags.minutes} minutes; --seed ${flags.seed} repeats the order`);
  const journal = await new Soak(flags, interruption.signal).play();
  const report = reportOf(journal);
  if (flags.report === undefined) console.log(`\n${report}`);
  else await writeFile(flags.report, report);
  if (flags.json !== undefined) {
    const document = { good: isGood(journal), ...journal, failed: failuresOf(journal.requests) };
    await writeFile(flags.json, `${JSON.stringify(document, undefined, 2)}\n`);
  }
  console.log(isGood(journal) ? 'all of it held' : 'not all of it held');
  return isGood(journal) ? 0 : 1;
}

/** Returns the options, or the exit code where there is nothing to play. */
function read(args: string[]): Flags | number {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = { minutes: text, seed: text, rate: text, only: text, report: text, json: text } as const;
  try {
    const { values } = parseArgs({ args, options: { ...options, list: flag, help: flag } });
    if (values.help) return said(help, 0);
    if (values.list)
      return said(
        stepsNamed(values.only)
          .map(({ deed }) => deed.name)
          .join('\n'),
        0,
      );
    const { report, json, only } = values;
    const numbers = {
      minutes: numberOf(values.minutes, 10),
      seed: numberOf(values.seed, randomInt(1_000_000)),
      rate: numberOf(values.rate, 20),
    };
    if (stepsNamed(only).length === 0) return said(`no step has ${JSON.stringify(only)} in its name: see --list`, 2);
    return { ...numbers, ...(only ? { only } : {}), ...(report ? { report } : {}), ...(json ? { json } : {}) };
  } catch (error) {
    return said(`${error instanceof Error ? error.message : String(error)}\n\n${help}`, 2);
  }
}

function said(text: string, code: number): number {
  console.log(text);
  return code;
}

function numberOf(text: string | undefined, otherwise: number): number {
  const number = Number(text ?? otherwise);
  if (!Number.isFinite(number) || number <= 0)
    throw new Error(`expected a number above 0, got ${JSON.stringify(text)}`);
  return number;
}

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (interruption.signal.aborted) return;
    console.log('stopping: the report comes, and the hosts are taken away');
    interruption.abort();
  });
}
try {
  process.exit(await main());
} catch (error) {
  console.error(interruption.signal.aborted ? 'it was stopped before its first step' : error);
  process.exit(1);
}
