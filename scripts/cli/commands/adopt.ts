import type { PlacedContainer } from '../../../pipelines/model/desired-state.ts';
import { perform } from '../../../pipelines/operations/perform.ts';
import type { Adoption } from '../../../pipelines/planning/plan-adoption.ts';
import { colors } from '../../tools/colors.ts';
import type { Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';

interface AdoptFlags extends Flags {
  readonly from?: string;
  readonly without?: readonly string[];
}

/** Runs `lockage adopt`. */
export async function adoptCommand(name: string, flags: AdoptFlags, signal: AbortSignal): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    void context.loadPulumi().catch(() => undefined);
    const request = {
      environment: name,
      ...(flags.from === undefined ? {} : { from: flags.from }),
      ...(flags.without ? { without: flags.without } : {}),
      ...(flags.plan ? { planOnly: true } : {}),
    };
    const { outcome, adoption } = await perform(context, 'adopt', request);
    context.terminal.result({ outcome, ...jsonOf(adoption) }, outcome === 'adopted' ? linesOf(adoption) : []);
  });
}

/** Returns the JSON of an adoption, without the variables of containers, as in a history. */
function jsonOf({ environment, revision, current, hosts, taken, missing, dropped, ...rest }: Adoption): object {
  const { unknown, lostSecrets, releases, begun, record } = rest;
  return {
    environment,
    revision,
    ...(current ? { version: current.release.version, at: current.startedAt, actor: current.actor } : {}),
    hosts,
    taken: taken.map(nameOf),
    missing: missing.map(nameOf),
    dropped: dropped.map(nameOf),
    unknown,
    lostSecrets,
    releases: releases.map(({ version }) => version),
    begun,
    ...(record.ledger.hold ? { hold: record.ledger.hold } : {}),
    cordons: record.ledger.cordons ?? [],
  };
}

function nameOf({ host, spec }: PlacedContainer) {
  return { host: host.name, role: spec.role, version: spec.version, name: spec.name };
}

function linesOf({ environment, revision, current, taken, missing }: Adoption): string[] {
  const runs = current ? `, which runs ${current.release.version}` : '';
  const lost = missing.length > 0 ? colors.dim(`, ${missing.length} of its containers are missing`) : '';
  return [
    `revision ${revision} of ${environment} is recorded here${runs}: ${taken.length} containers taken over${lost}`,
  ];
}
