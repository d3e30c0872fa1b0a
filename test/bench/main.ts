/**
 * `npm run bench`: how fast Lockage is, beside the least that the same hosts need for the same job. Each part has hosts
 * of its own, which are taken away again, also on Ctrl-C.
 */
import { writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import type { Row } from './measure.ts';
import { judged, usedByOthers } from './busy.ts';
import { auditPart } from './part-audit.ts';
import { bytesPart } from './part-bytes.ts';
import { commandsPart } from './part-commands.ts';
import { databasesPart } from './part-databases.ts';
import { edgePart } from './part-edge.ts';
import { historyPart } from './part-history.ts';
import { loadPart } from './part-load.ts';
import { machinesPart } from './part-machines.ts';
import { manyPart } from './part-many.ts';
import { peersPart } from './part-peers.ts';
import { promotePart } from './part-promote.ts';
import { rollbackPart } from './part-rollback.ts';
import { swarmPart } from './part-swarm.ts';
import { targetsPart } from './part-targets.ts';
import type { Part } from './parts.ts';
import { Stage } from './stage.ts';
import { tableLines } from './table.ts';

const parts: readonly Part[] = [
  ...[promotePart, rollbackPart, targetsPart, machinesPart, swarmPart],
  ...[commandsPart, manyPart, bytesPart, peersPart, loadPart, edgePart, auditPart, historyPart, databasesPart],
];
const help = `Usage: npm run bench [-- options]

Measures Lockage and, in turns on the same hosts, what it is compared with.

Options:
  --only NAME    one part: ${parts.map(({ name }) => name).join(', ')}
  --rounds N     rounds of each comparison (default 5)
  --json FILE    write the figures there, too
  --help         this text`;

async function main(): Promise<number> {
  const options = read(process.argv.slice(2));
  if (!options || options.help) {
    console.log(help);
    return options ? 0 : 2;
  }
  const chosen = parts.filter(({ name }) => options.only === undefined || options.only === name);
  const rounds = Number(options.rounds ?? 5);
  if (chosen.length === 0 || !Number.isInteger(rounds) || rounds < 1) {
    console.log(help);
    return 2;
  }
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    console.log('the benchmark makes hosts of its own, for which it must run as root on Linux');
    return 1;
  }
  const { signal } = interruption;
  const rows: Row[] = [];
  const problems: string[] = [];
  for (const part of chosen) {
    if (signal.aborted) break;
    try {
      const before = await usedByOthers();
      const found = await measure(part, rounds, signal);
      // A part that judges itself looks at the machine more often than here.
      rows.push(...(part.judgesItself === true ? found : judged(found, Math.max(before, await usedByOthers()))));
    } catch (error) {
      if (!signal.aborted) problems.push(`${part.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  console.log(['', ...tableLines(rows), ''].join('\n'));
  for (const problem of problems) console.log(`not measured: ${problem}`);
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report(rows), undefined, 2)}\n`);
  if (signal.aborted) return 130;
  return problems.length > 0 || rows.some(({ met }) => met === false) ? 1 : 0;
}

async function measure(part: Part, rounds: number, signal: AbortSignal): Promise<readonly Row[]> {
  const log = (line: string) => console.error(`  ${part.name.padEnd(9)} ${line}`);
  const known = (await part.withoutHosts?.({ rounds, signal, log })) ?? [];
  if (known.length > 0) return known;
  const stage = await Stage.open(part.environments, signal, log);
  try {
    // Whoever stops must not wait for the rounds under way: their hosts go away below.
    return await Promise.race([part.measure(stage, { rounds, signal, log }), stopped(signal)]);
  } finally {
    await stage.remove();
  }
}

function stopped(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))));
}

function report(rows: readonly Row[]) {
  const [processor] = cpus();
  return { at: new Date().toISOString(), processors: cpus().length, model: processor?.model, load: loadavg(), rows };
}

function read(args: string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({ args, options: { only: text, rounds: text, json: text, help: { type: 'boolean' } } }).values;
  } catch (error) {
    console.log(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (interruption.signal.aborted) return;
    console.error('stopping: the hosts are taken away');
    interruption.abort();
  });
}
process.exit(await main());
