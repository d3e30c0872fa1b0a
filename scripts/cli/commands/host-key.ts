import type { HostKey } from '../../../infra/docker/connections.ts';
import { LockageError, PartialError } from '../../../pipelines/errors.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { isSshHost, type SshHost } from '../../../pipelines/model/target.ts';
import { colors } from '../../tools/colors.ts';
import { table } from '../../tools/format.ts';
import type { CommandContext } from '../open-context.ts';
import { runCommand } from '../run-command.ts';

interface HostKeyFlags {
  readonly accept?: string[];
}

/** Runs `lockage host-key`. */
export async function hostKeyCommand(name: string, flags: HostKeyFlags, signal: AbortSignal): Promise<void> {
  await runCommand({}, signal, async (context) => {
    const environment = environmentNamed(context.project, name);
    const hosts = environment.hosts.filter(isSshHost);
    if (hosts.length === 0) {
      context.terminal.result([], [`${environment.name} has no hosts that are reached by ssh`]);
      return;
    }
    await acceptKeys(context, hosts, flags.accept);
  });
}

/** Asks for the keys of hosts, or takes those that are accepted, and pins them. Throws LockageError; PartialError where some are pinned. */
export async function acceptKeys(
  context: Pick<CommandContext, 'connections' | 'terminal'>,
  hosts: readonly SshHost[],
  accept: readonly string[] | undefined,
): Promise<void> {
  // Accepted fingerprints that no host offers are a mistake to report before anything is pinned.
  const offers = await Promise.all(hosts.map((host) => offerOf(context, host)));
  refuseUnknown(accept ?? [], offers);
  for (const offer of offers) refuseOther(offer);
  const open: string[] = [];
  const accepted: (() => Promise<void>)[] = [];
  // All are asked about before any is pinned: who says no to one has changed nothing.
  for (const offer of offers) {
    for (const line of offerLines(offer)) context.terminal.line(line);
    if (isPinned(offer)) continue;
    const key = await choose(context, offer, accept);
    if (key) accepted.push(() => pin(context, offer.host, key));
    else open.push(offer.host.name);
  }
  for (const pinKey of accepted) await pinKey();
  if (open.length > 0) {
    const Kind = open.length < offers.length ? PartialError : LockageError;
    throw new Kind(`no key was accepted for ${open.join(', ')}`, {
      hint: 'Name one key of each host with `--accept FINGERPRINT…`.',
    });
  }
}

interface Offer {
  readonly host: SshHost;
  /** where the keys come from: the host, or the machine to jump through while its key is not known */
  readonly address: string;
  readonly keys: readonly HostKey[];
  /** the expected keys: accepted before, or written in the configuration */
  readonly pinned: readonly string[];
}

async function offerOf({ connections }: Pick<CommandContext, 'connections'>, host: SshHost): Promise<Offer> {
  const [{ address, keys }, accepted] = await Promise.all([
    connections.scanHostKeys(host),
    connections.acceptedHostKeys(host),
  ]);
  const { hostKey } = host.endpoint;
  return { host, address, keys, pinned: hostKey === undefined ? accepted : [hostKey] };
}

function refuseUnknown(accept: readonly string[], offers: readonly Offer[]): void {
  const offered = offers.flatMap(({ keys }) => keys.map(({ fingerprint }) => fingerprint));
  const unknown = accept.filter((fingerprint) => !offered.includes(fingerprint));
  if (unknown.length === 0) return;
  throw new LockageError('no host offers this key: nothing was pinned', {
    details: [
      ...unknown.map((fingerprint) => `given:   ${fingerprint}`),
      ...offers.flatMap(({ host, keys }) => keys.map(({ fingerprint }) => `offered: ${fingerprint} by ${host.name}`)),
    ],
    hint: 'Compare with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` run on the console of that machine.',
  });
}

function isPinned({ keys, pinned }: Offer): boolean {
  return keys.some(({ fingerprint }) => pinned.includes(fingerprint));
}

function refuseOther(offer: Offer): void {
  const { host, address, pinned } = offer;
  if (pinned.length === 0 || isPinned(offer)) return;
  throw new LockageError(`${host.name}: ${address} shows another key than the one that is pinned`, {
    details: pinned.map((fingerprint) => `pinned: ${fingerprint}`),
    hint: 'Somebody may be in between. If the machine was reinstalled, see to its hostKey or .lockage/known_hosts first.',
  });
}

/** Returns the key of a host that is accepted; undefined where none is. Throws LockageError where nobody can be asked, or says no. */
async function choose(
  { terminal }: Pick<CommandContext, 'terminal'>,
  { host, keys }: Offer,
  accept: readonly string[] | undefined,
): Promise<HostKey | undefined> {
  const key = accept ? keys.find(({ fingerprint }) => accept.includes(fingerprint)) : keys[0];
  if (key && !accept) {
    if (!process.stdin.isTTY) {
      throw new LockageError(`the key of ${host.name} needs confirmation, and this is not a terminal`, {
        hint: `Compare it with \`ssh-keygen -l\` on the console of ${host.name}, then say \`--accept ${key.fingerprint}\`.`,
      });
    }
    await terminal.confirm(`Is ${key.fingerprint} what \`ssh-keygen -l\` shows on the console of ${host.name}?`);
  }
  return key;
}

async function pin(
  { connections, terminal }: Pick<CommandContext, 'connections' | 'terminal'>,
  host: SshHost,
  { fingerprint }: HostKey,
): Promise<void> {
  await connections.trustHostKey(host, fingerprint);
  terminal.line(`  ${colors.green('✓')} ${fingerprint} is pinned now for ${host.name}`);
}

function offerLines({ host, address, keys, pinned }: Offer): string[] {
  const rows = keys.map(({ type, fingerprint }) => [
    `  ${fingerprint}`,
    type.replace(/^ssh-/, ''),
    pinned.includes(fingerprint) ? colors.green('pinned') : '',
  ]);
  return [`${colors.bold(host.name)}  ${address}`, ...table(rows)];
}
