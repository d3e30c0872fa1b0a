import { hostsOf } from '../config/resolve/targets.ts';
import { openPortProblem, urlProblem } from '../config/schema/target-url.ts';
import { LockageError } from '../errors.ts';
import { engineKey, type TlsFiles } from '../model/endpoint.ts';
import type { EnvironmentHost, Host } from '../model/target.ts';
import { didYouMean } from '../text/suggest.ts';

/** What a host can be chosen from. */
export interface HostChoices {
  /** of all environments that are configured */
  readonly hosts: readonly EnvironmentHost[];
  /** the environment that will run there, after which a host is called that has no name */
  readonly environment: string;
  /** the certificates for a port */
  readonly tls?: TlsFiles | undefined;
}

/**
 * Returns the host that a person named: one that is configured, by its name, or any by its URL. A configured one that has that
 * URL is taken with its key files and host key. Throws LockageError (refused).
 */
export function chooseHost(text: string, choices: HostChoices): Host {
  const configured = choices.hosts.filter((each) => each.kind === 'host');
  return text.includes('://') ? hostAt(text, configured, choices) : hostCalled(text, configured, choices.hosts);
}

function hostCalled(name: string, configured: readonly Host[], all: readonly EnvironmentHost[]): Host {
  const found = configured.filter((each) => each.name === name);
  const [first] = found;
  const engines = new Set(found.map(({ endpoint }) => engineKey(endpoint)));
  if (first && engines.size === 1) return first;
  if (first) {
    throw new LockageError(`several hosts are called ${name}`, {
      details: found.map(({ endpoint }) => endpoint.url),
      hint: 'Write its URL instead.',
    });
  }
  const names = [...new Set(all.map((each) => each.name))];
  const isPending = names.includes(name);
  throw new LockageError(
    isPending ? `${name} is a machine that is not made yet` : `no host is called ${name}${didYouMean(name, names)}`,
    {
      details: names.length === 0 || isPending ? [] : [`configured are ${names.join(', ')}`],
      hint: 'Write the name of a configured host, or a URL as ssh://user@host.',
    },
  );
}

function hostAt(url: string, configured: readonly Host[], { environment, tls }: HostChoices): Host {
  const problem = urlProblem(url) ?? (tls ? undefined : openPortProblem(url));
  if (problem !== undefined) {
    throw new LockageError(`${url} cannot be used: ${problem}`, {
      hint: 'Write ssh://user@host or unix:///path; for tcp://host:port, DOCKER_CERT_PATH names the folder of its certificates.',
    });
  }
  const known = configured.find((each) => each.endpoint.url === url);
  if (known) return known;
  const target = { url, ...(tls && url.startsWith('tcp:') ? { tls } : {}) };
  const [host] = hostsOf(environment, [target], '/');
  if (!host) throw new Error('a target of a URL makes a host');
  return host;
}
