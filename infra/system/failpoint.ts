/**
 * Ends this process at a named point as a power cut would, for tests of what a crash leaves behind; after `stop:` it is
 * stopped there, as by a computer that sleeps, until somebody lets it go on. Points are `at:STEP` (a step or host event
 * was shown, as `at:pull`, `at:switch`) and `after:KIND` (a resource of that kind was made, as `after:container`,
 * `after:routes`; or that was done on a new host, as `after:configure`); `LOCKAGE_FAILPOINT` names one of them.
 */
export function failpoint(name: string): void {
  const point = process.env['LOCKAGE_FAILPOINT'];
  if (point === name) process.kill(process.pid, 'SIGKILL');
  if (point === `stop:${name}`) process.kill(process.pid, 'SIGSTOP');
}
