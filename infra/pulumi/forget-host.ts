import type { ContainerInputs, FoundationInputs, LedgerInputs } from '../resources/inputs.ts';
import { packed, unpacked } from '../resources/packing.ts';

/** A resource of an exported deployment; only the fields that are read. */
interface Exported {
  readonly urn: string;
  readonly type: string;
  readonly provider?: string;
  readonly inputs?: object;
  readonly outputs?: object;
  readonly dependencies?: readonly string[];
  readonly propertyDependencies?: Readonly<Record<string, readonly string[]>>;
}

/** The `deployment` in the output of `pulumi stack export`, version 3. */
export interface Deployment {
  readonly resources?: readonly Exported[];
  readonly pending_operations?: unknown;
}

/**
 * Returns a deployment without the resources on a host: release containers, and resources of the Docker provider of
 * that name. Dependencies on them are removed, the foundation will be compared again, and the host's cordon is lifted.
 */
export function withoutHost(deployment: Deployment, host: string): Deployment {
  const all = deployment.resources ?? [];
  const gone = new Set(all.filter((resource) => isOn(resource, host)).map(({ urn }) => urn));
  const stays = (urn: string) => !gone.has(urn);
  const resources = all
    .filter(({ urn }) => stays(urn))
    .map((resource) => ({
      ...resource,
      ...(resource.dependencies ? { dependencies: resource.dependencies.filter(stays) } : {}),
      ...(resource.propertyDependencies
        ? {
            propertyDependencies: Object.fromEntries(
              Object.entries(resource.propertyDependencies).map(([name, urns]) => [name, (urns ?? []).filter(stays)]),
            ),
          }
        : {}),
      ...(resource.inputs ? { inputs: withoutHostIn(resource.type, resource.inputs, host) } : {}),
      ...(resource.outputs ? { outputs: withoutHostIn(resource.type, resource.outputs, host) } : {}),
    }));
  return { ...deployment, resources };
}

function isOn({ urn, type, provider = '', inputs = {} }: Exported, host: string): boolean {
  if (type === 'lockage:index:Container') return (unpacked(inputs) as ContainerInputs).host.name === host;
  if (type === 'pulumi:providers:docker') return urn.endsWith(`::${host}`);
  // `URN::id` of its provider
  return provider.includes(`::pulumi:providers:docker::${host}::`);
}

function withoutHostIn(type: string, values: object, host: string): object {
  if (type === 'lockage:index:Foundation') {
    const { content, ...rest } = values as { content: string };
    const foundation = unpacked({ content }) as FoundationInputs;
    const { [host]: _, ...edges } = foundation.edges;
    const hosts = foundation.hosts.filter(({ name }) => name !== host);
    return { ...rest, ...packed({ ...foundation, hosts, edges, fingerprint: '' }) };
  }
  if (type === 'lockage:index:Ledger') {
    const { cordons = [], ...rest } = values as LedgerInputs;
    const others = cordons.filter((cordon) => cordon.host !== host);
    return { ...rest, ...(others.length > 0 ? { cordons: others } : {}) };
  }
  return values;
}
