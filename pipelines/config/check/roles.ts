import { secretsPath } from '../../model/container-spec.ts';
import type { Role } from '../../model/environment.ts';
import { didYouMean } from '../../text/suggest.ts';
import type { RoleFile } from '../schema/roles.ts';
import type { Path } from '../source/problem.ts';
import type { Checked } from './context.ts';

/** Docker's and the edge proxy's resolvers take no longer name for a container: it is one DNS label. */
const maxAlias = 63;
const fingerprintLength = 8;

/** Checks the roles of an environment, and the migration, which runs with the same settings. */
export function checkRoles(checked: Checked): void {
  const { file, own, written, resolved, report } = checked;
  const common = Object.keys(file.roles ?? {});
  if (common.length === 0 && own.roles === undefined)
    report(['roles'], 'is missing: describe at least one role, as web: { port: 8080 }');
  for (const name of Object.keys(own.roles ?? {})) {
    // Every environment runs what the release has, and a misspelt name would silently start another container.
    if (!common.includes(name)) report(['roles', name], `is not a role of lockage.yaml${didYouMean(name, common)}`);
  }
  for (const role of resolved.roles) {
    const asWritten = written.roles[role.name];
    if (asWritten === undefined) continue;
    checkName(checked, role);
    checkRoleHosts(checked, role, asWritten);
    checkHealth(checked, role, asWritten);
    checkEnv(checked, ['roles', role.name], role.env, role.secrets);
    checkSecrets(checked, ['roles', role.name], role.secrets);
    checkHardening(checked, role);
    checkSharedMemory(checked, ['roles', role.name], role.limits);
    checkLog(checked, ['roles', role.name], asWritten);
    checkNames(checked, ['roles', role.name], role);
    checkUlimits(checked, ['roles', role.name], role.limits);
    if (asWritten.publish !== undefined && asWritten.port === undefined) {
      report(['roles', role.name, 'publish'], 'needs the port that its containers listen on: set port too');
    }
  }
  if (resolved.migration !== undefined) {
    checkEnv(checked, ['migration'], resolved.migration.env, resolved.migration.secrets);
    checkSecrets(checked, ['migration'], resolved.migration.secrets);
  }
}

function checkName({ app, resolved, report }: Checked, role: Role): void {
  const length = `${app}-${resolved.name}-${role.name}-`.length + fingerprintLength;
  if (length <= maxAlias) return;
  report(
    ['roles', role.name],
    `names of app, environment and role are ${length - maxAlias} characters too long together`,
  );
}

function checkRoleHosts({ resolved, report }: Checked, role: Role, asWritten: RoleFile): void {
  if (resolved.orchestrator) {
    const message = `is for hosts: ${resolved.name} is a swarm, which places the replicas itself`;
    if (asWritten.hosts !== undefined) report(['roles', role.name, 'hosts'], message);
    return;
  }
  const names = resolved.hosts.map((host) => host.name);
  for (const [index, host] of role.hosts.entries()) {
    const path = ['roles', role.name, 'hosts', host];
    if (!names.includes(host))
      report(path, `is not a target of ${resolved.name}${didYouMean(host, names) || `: ${names.join(', ')}`}`);
    else if (role.hosts.indexOf(host) < index) report(path, 'is named twice');
  }
}

function checkHealth({ report }: Checked, role: Role, { health = {}, port }: RoleFile): void {
  const path = ['roles', role.name, 'health'];
  const kinds = (['path', 'command', 'running'] as const).filter((kind) => health[kind] !== undefined);
  if (kinds.length > 1) report([...path, kinds[1] ?? ''], `is a second check: keep one of ${kinds.join(', ')}`);
  if (health.path !== undefined && (health.port ?? port) === undefined) {
    report([...path, 'path'], `needs a port: set roles.${role.name}.port, or port beside path`);
  }
  if (health.port !== undefined && (health.command !== undefined || health.running !== undefined)) {
    report([...path, 'port'], 'goes with path only');
  }
  const { check, interval, healthy, timeout } = role.health;
  const shortest = check.kind === 'running' ? check.for : interval * (healthy - 1);
  if (shortest >= timeout)
    report(
      [...path, 'timeout'],
      `${timeout / 1000}s is over before a check can succeed, which takes ${shortest / 1000}s`,
    );
}

/** Checks that shared memory fits into the memory that it is a part of. */
export function checkSharedMemory(
  { report }: Checked,
  owner: Path,
  { shmSize = 0, memory }: { readonly shmSize?: number; readonly memory: number },
): void {
  if (shmSize > memory)
    report([...owner, 'limits', 'shmSize'], 'is more than the memory limit, which it counts towards');
}

/** Checks that no option is written for a driver that the host chooses. */
export function checkLog({ report }: Checked, owner: Path, { log }: Pick<RoleFile, 'log'>): void {
  if (log?.driver !== 'host' || log.options === undefined) return;
  report([...owner, 'log', 'options'], "goes with a driver that is named: host takes the engine's own settings");
}

/** Checks that no name is written that leads to an accessory already. */
export function checkNames(
  { resolved, report }: Checked,
  owner: readonly string[],
  { extraHosts = {} }: Pick<Role, 'extraHosts'>,
): void {
  for (const { name } of resolved.accessories.filter((accessory) => Object.hasOwn(extraHosts, accessory.name)))
    report([...owner, 'extraHosts', name], `leads to accessory ${name} already`);
}

/** Checks that no process may begin with more than it may have. */
export function checkUlimits(
  { report }: Checked,
  owner: readonly string[],
  { ulimits = {} }: Pick<Role['limits'], 'ulimits'>,
): void {
  const most = (value: number) => (value === -1 ? Infinity : value);
  for (const [name, { soft, hard }] of Object.entries(ulimits))
    if (most(soft) > most(hard)) report([...owner, 'limits', 'ulimits', name], 'has a soft limit above its hard one');
}

/** Checks that no variable is set that Lockage sets itself: its value would be lost without a warning. */
export function checkEnv(
  { report }: Checked,
  owner: Path,
  env: Readonly<Record<string, string>>,
  secrets: readonly string[],
): void {
  for (const name of Object.keys(env)) {
    const path = [...owner, 'env', name];
    if (name.startsWith('LOCKAGE_')) report(path, 'names that begin with LOCKAGE_ are set by Lockage');
    if (secrets.includes(name)) report(path, 'is also a secret: keep its value out of env');
    const secret = secrets.find((candidate) => name === `${candidate}_FILE`);
    if (secret !== undefined) report(path, `is set by Lockage to the file of secret ${secret}`);
  }
}

/** Checks that each secret that is used has a source. */
export function checkSecrets({ resolved, report }: Checked, owner: Path, secrets: readonly string[]): void {
  const declared = Object.keys(resolved.secrets);
  for (const secret of secrets) {
    if (declared.includes(secret)) continue;
    report([...owner, 'secrets', secret], `is not declared under secrets${didYouMean(secret, declared)}`);
  }
}

function checkHardening({ resolved, report }: Checked, role: Role): void {
  const path = ['roles', role.name, 'hardening'];
  const { user, allowRoot, tmpfs, executable = [] } = role.hardening;
  for (const folder of resolved.orchestrator ? executable : [])
    report([...path, 'tmpfs', folder], 'is on a swarm, which mounts none that programs can be run from');
  if (user !== undefined && /^(0+|root)(:|$)/.test(user) && !allowRoot) {
    report([...path, 'user'], 'is root: allowRoot: { value: true, reason: why } is needed too');
  }
  for (const [folder, bytes] of Object.entries(tmpfs)) {
    const hidden = hiddenBy(folder, role.secrets.length > 0);
    if (hidden !== undefined) report([...path, 'tmpfs', folder], hidden);
    if (bytes > role.limits.memory)
      report([...path, 'tmpfs', folder], "is more than the role's memory limit, which it counts towards");
  }
}

/**
 * Returns what is wrong with a folder in memory at a path; undefined for nothing. Docker mounts what is nearer to the top first, so
 * secrets lie upon one in `/run`. `/var/run` leads there in nearly every image, and would come after them.
 */
function hiddenBy(folder: string, hasSecrets: boolean): string | undefined {
  if (folder === '/') return 'would hide the image';
  if (folder === '/var/run' && hasSecrets)
    return `would hide the secrets in ${secretsPath}, as it leads to /run: write /run`;
  const place = folder.replace(/^\/var(?=\/run\/)/, '');
  const isTaken = place === secretsPath || place.startsWith(`${secretsPath}/`);
  return isTaken ? `would hide the secrets in ${secretsPath}` : undefined;
}
