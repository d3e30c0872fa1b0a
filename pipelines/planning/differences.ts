import type { ContainerSpec } from '../model/container-spec.ts';
import type { Difference } from '../model/plan.ts';

/**
 * Returns what of the roles' configuration differs between two sets of containers, role by role. Values of secrets are in
 * none of it, those of variables where they are asked for.
 */
export function differencesOf(
  before: readonly ContainerSpec[],
  after: readonly ContainerSpec[],
  shown: 'settings' | 'variables too' = 'settings',
): Difference[] {
  const roles = [...new Set([...after, ...before].map(({ role }) => role))];
  return roles.flatMap((role): Difference[] => {
    const [old, now] = alike(role, before, after);
    if (!old) return [{ role, change: 'new' }];
    if (!now) return [{ role, change: 'gone' }];
    return changesOf(role, settingsOf(old, before), settingsOf(now, after), shown);
  });
}

/** Returns a container of the role from each side, of the same host where both have one there. */
function alike(role: string, before: readonly ContainerSpec[], after: readonly ContainerSpec[]) {
  const [first] = after.filter((spec) => spec.role === role);
  const olds = before.filter((spec) => spec.role === role);
  return [olds.find(({ host }) => host === first?.host) ?? olds[0], first] as const;
}

type Settings = ReadonlyMap<string, string>;

/** Returns the settings of a container's role: what it is on its host, where, and of which release is none. */
function settingsOf(spec: ContainerSpec, all: readonly ContainerSpec[]): Settings {
  const { name: _, alias: __, host, role, image: ___, version: ____, env, ...settings } = spec;
  const { LOCKAGE_VERSION: _____, LOCKAGE_HOST: ______, LOCKAGE_ENVIRONMENT: _______, ...variables } = env;
  const count = all.filter((other) => other.role === role && other.host === host).length;
  return new Map(leavesOf({ count, ...settings, env: variables }));
}

function leavesOf(value: object, path = ''): [string, string][] {
  return Object.entries(value).flatMap(([key, each]: [string, unknown]): [string, string][] => {
    const at = path === '' ? key : `${path}.${key}`;
    if (each === undefined) return [];
    return typeof each === 'object' && each !== null && !Array.isArray(each)
      ? leavesOf(each, at)
      : [[at, JSON.stringify(each)]];
  });
}

function changesOf(role: string, before: Settings, after: Settings, shown: 'settings' | 'variables too'): Difference[] {
  const keys = [...new Set([...before.keys(), ...after.keys()])].sort();
  return keys.flatMap((key): Difference[] => {
    const [from, to] = [before.get(key), after.get(key)];
    if (from === to) return [];
    const change = from === undefined ? 'new' : to === undefined ? 'gone' : 'changed';
    const isHidden = key.startsWith('secrets.') || (key.startsWith('env.') && shown === 'settings');
    const values = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
    return [{ role, key, change, ...(isHidden ? {} : values) }];
  });
}
