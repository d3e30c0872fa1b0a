import { restsAsStandby } from '../model/container-spec.ts';
import { onActiveHosts } from '../model/cordons.ts';
import { samePlace, type DesiredState, type SecretVersion } from '../model/desired-state.ts';
import { currentRevision, existingContainers, type EnvironmentRecord } from '../model/ledger.ts';
import { rolesAlone } from './stop-first.ts';

/** Returns the roles that a drill of going back does not start: two of them at once are wrong, by what serves or by what would. */
export function rolesNotTried(record: EnvironmentRecord, { serving }: Pick<DesiredState, 'serving'>): string[] {
  const current = currentRevision(record.ledger);
  const now = current ? onActiveHosts(record.ledger, existingContainers(record, current)) : [];
  const wanted = new Set(serving.map(({ spec }) => spec.role));
  return [...rolesAlone(now, serving)].filter((role) => wanted.has(role)).sort();
}

/**
 * Returns the environment as it is recorded, with other containers beside those that serve, which have to prove
 * themselves, unless they only rest.
 */
export function besides(before: DesiredState, { serving, secrets }: DesiredState): DesiredState {
  const isRecorded = ({ name, version }: SecretVersion) =>
    before.secrets.some((other) => other.name === name && other.version === version);
  const others = serving.filter((placed) => !before.serving.some((other) => samePlace(other, placed)));
  const standby = [...before.standby.filter((placed) => !others.some((other) => samePlace(other, placed))), ...others];
  const alone = rolesAlone(before.serving, serving);
  return {
    ...before,
    standby,
    again: others,
    verify: others.filter(({ spec }) => !restsAsStandby(spec) && !alone.has(spec.role)),
    secrets: [...before.secrets, ...secrets.filter((secret) => !isRecorded(secret))],
    drill: true,
  };
}
