import { didYouMean } from '../../text/suggest.ts';
import type { Path } from '../source/problem.ts';
import type { Checked } from './context.ts';

/** Checks that whoever hears of operations hears of environments that there are: a misspelt one would never be heard of. */
export function checkIntegrations({ file, report }: Checked, known: readonly string[]): void {
  const check = (name: string, path: Path) => {
    if (!known.includes(name)) report(path, `no environment ${JSON.stringify(name)}${didYouMean(name, known)}`);
  };
  file.notifications?.forEach(({ environments = [] }, at) =>
    environments.forEach((name, nth) => check(name, ['notifications', at, 'environments', nth])),
  );
  for (const key of ['urls', 'approvers'] as const) {
    for (const name of Object.keys(file.github?.[key] ?? {})) check(name, ['github', key, name]);
  }
}
