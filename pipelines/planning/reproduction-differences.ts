import type { HostTraits, Trait, Traits } from '../model/host-traits.ts';
import { own } from '../model/own.ts';
import { secretsOf, type RecordedRevision } from '../model/recorded-revision.ts';
import type { Reproduction, SecretOrigin } from '../model/reproduction.ts';
import { textOfData } from './reproduced-data.ts';

/** Something of a reproduction that is not as in the original, and the reason. */
export interface ReproductionDifference {
  readonly what: string;
  /** the role, port, secret or accessory that it is about */
  readonly of?: string;
  readonly original: string;
  readonly here: string;
  readonly why: string;
}

/** The facts that are not in a record: what the hosts of the original are made of, as far as they said, and this one. */
export interface MadeOf {
  readonly original: readonly HostTraits[];
  readonly here: Traits;
  /** public port → who has it */
  readonly taken: ReadonlyMap<number, string>;
  /** the image of its edge; absent: nothing was made */
  readonly edge?: string;
}

/** Returns what differs between a reproduction and its original, and why. */
export function reproductionDifferences(reproduction: Reproduction, facts: MadeOf): ReproductionDifference[] {
  return [
    ...placeRows(reproduction),
    ...releaseRows(reproduction.of),
    ...countRows(reproduction),
    ...portRows(reproduction, facts),
    ...variableRows(reproduction),
    ...secretRows(reproduction),
    ...dataRows(reproduction),
    ...edgeRows(reproduction.of, facts),
    ...laterRows(reproduction.of),
    ...migrationRows(reproduction.of),
    ...platformRows(reproduction),
    ...traitRows(facts),
  ];
}

function placeRows({ of: { hosts, swarm }, host, time }: Reproduction): ReproductionDifference[] {
  const original = swarm === undefined ? hosts.join(', ') : `swarm ${swarm}`;
  const why = time ? 'one host is enough for it' : 'it runs on the engine at hand';
  return [{ what: 'hosts', original, here: host.endpoint.url, why }];
}

/** The containers are those of the revision; the release may be another one. */
function releaseRows({ containers, release }: RecordedRevision): ReproductionDifference[] {
  const original = containers[0]?.version ?? release.version;
  return original === release.version
    ? []
    : [{ what: 'release', original, here: release.version, why: 'as --release says' }];
}

function countRows({ of: { containers }, counts }: Reproduction): ReproductionDifference[] {
  const roles = [...new Set(containers.map(({ role }) => role))];
  return roles.flatMap((role) => {
    const specs = containers.filter((spec) => spec.role === role);
    const original = specs.reduce((sum, { replicas = 1 }) => sum + replicas, 0);
    const asked = own(counts, role);
    const here = asked ?? 1;
    const why = asked === undefined ? 'one is enough here; --scale has more' : 'as --scale says';
    return original === here
      ? []
      : [{ what: 'containers', of: role, original: String(original), here: String(here), why }];
  });
}

function portRows({ ports }: Reproduction, { taken }: MadeOf): ReproductionDifference[] {
  return Object.entries(ports).flatMap(([original, here]) => {
    if (Number(original) === here) return [];
    const holder = taken.get(Number(original));
    const why = holder === undefined ? 'it was taken when this was made' : `${holder} has it`;
    return [{ what: 'port', of: original, original, here: String(here), why }];
  });
}

/** A service may do something else by where it runs. */
function variableRows({ of: { environment, hosts }, name, host }: Reproduction): ReproductionDifference[] {
  const why = 'it is an environment of its own';
  return [
    { what: 'variable', of: 'LOCKAGE_ENVIRONMENT', original: environment, here: name, why },
    { what: 'variable', of: 'LOCKAGE_HOST', original: hosts.join(', '), here: host.name, why },
  ];
}

const origins: Readonly<Record<SecretOrigin, string>> = {
  file: 'from the file that was given',
  asked: 'as it was typed',
  generated: 'generated here',
};

function secretRows({ of, secrets }: Reproduction): ReproductionDifference[] {
  return secretsOf(of).map((name) => ({
    ...{ what: 'secret', of: name, original: `of ${of.environment}`, here: origins[own(secrets, name) ?? 'generated'] },
    why: 'values of another environment are never copied',
  }));
}

function dataRows({ of: { accessories }, data = {} }: Reproduction): ReproductionDifference[] {
  return accessories
    .filter(({ volumes }) => Object.keys(volumes).length > 0)
    .flatMap(({ name, image }): ReproductionDifference[] => {
      const row = { what: 'data', of: name, original: 'its own' };
      const given = own(data, name);
      if (!given) return [{ ...row, here: 'empty at its start', why: 'data of another environment are never copied' }];
      const rows = [{ ...row, here: `of ${textOfData(given)}`, why: 'as --data says' }];
      if (given.kind === 'file') return rows;
      return [...rows, { what: 'image', of: name, original: image, here: given.image, why: 'it has the data' }];
    });
}

function edgeRows({ edge }: RecordedRevision, { edge: here = edge.image }: MadeOf): ReproductionDifference[] {
  if (here === edge.image) return [];
  return [{ what: 'edge', original: edge.image, here, why: 'it could not be pulled, and this one stands in' }];
}

/** Revisions that were recorded by an earlier version. */
function laterRows({ standsOnLater, environment, number }: RecordedRevision): ReproductionDifference[] {
  if (!standsOnLater) return [];
  const what = { what: 'accessories, edge', original: 'not recorded', here: `those of ${environment} now` };
  return [{ ...what, why: `revision ${number} was recorded without them` }];
}

/** Of a migration only the last one is recorded, which may be that of another release. */
function migrationRows({ migration, release, environment }: RecordedRevision): ReproductionDifference[] {
  if (!migration || migration.version === release.version) return [];
  return [
    {
      ...{ what: 'migration', original: 'not recorded', here: `the command of ${migration.version}` },
      why: `the last one of ${environment} is recorded alone`,
    },
  ];
}

function platformRows({ emulates, platform, of: { release } }: Reproduction): ReproductionDifference[] {
  if (platform !== undefined) {
    const why = 'its digest has an image for each: of the same source, and not the same bytes';
    return [{ what: 'platform', original: release.platform, here: platform, why }];
  }
  if (emulates === undefined) return [];
  const why = 'this computer has another processor: slower, and no measure of speed';
  return [{ what: 'platform', original: release.platform, here: `${emulates}, emulated`, why }];
}

const compared: readonly (readonly [what: string, trait: Trait])[] = [
  ['architecture', 'architecture'],
  ['kernel', 'kernel.minor'],
  ['engine', 'engine'],
];

function traitRows({ original, here }: MadeOf): ReproductionDifference[] {
  return compared.flatMap(([what, trait]) => {
    const now = here[trait] ?? 'unknown';
    const values = [...new Set(original.map(({ traits }) => traits[trait] ?? 'unknown'))];
    if (values.length === 1 && values[0] === now) return [];
    return values.length === 0
      ? [{ what, original: 'not known', here: now, why: 'no host of the original was asked, or answered' }]
      : [{ what, original: values.join(', '), here: now, why: 'another computer' }];
  });
}
