import { appendFileSync } from 'node:fs';

/** Once is enough: whoever lets it go on would else have to do so for each host. */
let hasStopped = false;

/**
 * Ends this process at a named point as a power cut would, for tests of what a crash leaves behind. Points are `at:STEP` (a
 * step or host event was shown, as `at:pull`, `at:switch`) and `after:KIND` (a resource of that kind was made, as
 * `after:container`, `after:routes`; or that was done on a new host, as `after:configure`), and `replace:STEP` while an edge or
 * an accessory is replaced, `audit:STEP` while an entry of the audit log is written. `LOCKAGE_FAILPOINT` names one of them, and before it how it fails there: `stop:` it is stopped, as by a computer that sleeps, until somebody lets it go on;
 * `throw:` the step fails. `log:FILE` fails nowhere, and lists the points that are reached.
 */
export function failpoint(name: string): void {
  const point = process.env['LOCKAGE_FAILPOINT'];
  if (point === undefined) return;
  if (point === name) process.kill(process.pid, 'SIGKILL');
  if (point === `stop:${name}` && !hasStopped) {
    hasStopped = true;
    process.kill(process.pid, 'SIGSTOP');
  }
  if (point === `throw:${name}`) throw new Error(`failed on purpose at ${name}`);
  if (point.startsWith('log:')) appendFileSync(point.slice('log:'.length), `${name}\n`);
}
