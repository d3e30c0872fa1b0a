/** The worker's health command: its heartbeat is a few seconds old at most. */
import { statSync } from 'node:fs';

const freshFor = 10_000;

try {
  const age = Date.now() - statSync(process.env.HEARTBEAT_FILE ?? '/tmp/heartbeat').mtimeMs;
  console.log(`heartbeat ${Math.round(age)} ms ago`);
  process.exitCode = age < freshFor ? 0 : 1;
} catch {
  console.log('no heartbeat yet');
  process.exitCode = 1;
}
