/**
 * Ends this process at a named point as a power cut would, for tests of what a crash leaves behind. Points are
 * `at:STEP` (a step or host event was shown, as `at:pull`, `at:switch`) and `after:KIND` (a resource of that kind was
 * made, as `after:container`, `after:routes`; or that was done on a new host, as `after:configure`);
 * `LOCKAGE_FAILPOINT` names one of them.
 */
export function failpoint(name: string): void {
  if (process.env['LOCKAGE_FAILPOINT'] === name) process.kill(process.pid, 'SIGKILL');
}
