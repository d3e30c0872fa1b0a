import type { Checked } from './context.ts';
import { checkEnv, checkSecrets } from './roles.ts';

/** Checks the jobs of an environment: each has a name of its own, and secrets that are there. */
export function checkVerification(checked: Checked): void {
  const { verification = [] } = checked.resolved;
  for (const [index, { name, env, secrets }] of verification.entries()) {
    const path = ['verification', index];
    if (verification.findIndex((other) => other.name === name) < index) {
      checked.report([...path, 'name'], `is the name of another job as well: ${name}`);
    }
    checkEnv(checked, path, env, secrets);
    checkSecrets(checked, path, secrets);
  }
}
