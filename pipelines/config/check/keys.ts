import { parsePublicKey } from '../../model/public-key.ts';
import { didYouMean } from '../../text/suggest.ts';
import type { ProjectFile } from '../schema/files.ts';
import type { Problem } from '../source/problem.ts';
import type { Source } from '../source/source.ts';

/** Checks that keys are of environments that there are, and that no key has two names: its name says who signed. */
export function checkKeys({ keys = {} }: ProjectFile, project: Source, environments: readonly string[]): Problem[] {
  const seen = new Map<string, string>();
  return Object.entries(keys).flatMap(([name, key]) => {
    const at = (path: Problem['path'], message: string): Problem => {
      const whole = ['keys', name, ...path];
      return { file: project.path, line: project.lineOf(whole), path: whole, message };
    };
    const keyId = parsePublicKey(key.public)?.keyId ?? '';
    const other = seen.get(keyId);
    seen.set(keyId, name);
    const unknown = (key.environments ?? []).flatMap((environment, index) =>
      environments.includes(environment)
        ? []
        : [at(['environments', index], `is no environment${didYouMean(environment, environments)}`)],
    );
    const ends = key.from !== undefined && key.until !== undefined && Date.parse(key.until) <= Date.parse(key.from);
    return [
      ...(other === undefined ? [] : [at(['public'], `is the key of ${other}, too: a key has one name`)]),
      ...unknown,
      ...(ends ? [at(['until'], 'is not later than `from`: nothing that it signs would count')] : []),
    ];
  });
}
