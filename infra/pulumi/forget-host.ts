import { withoutCordon } from '../../pipelines/model/cordons.ts';
import { counted } from '../../pipelines/model/fence.ts';
import type { Ledger } from '../../pipelines/model/revision.ts';
import type { ContainerInputs, FoundationInputs, LedgerInputs } from '../resources/inputs.ts';
import { packed, unpacked } from '../resources/packing.ts';
import { withoutResources, type Deployment, type Exported } from './without-resources.ts';

/**
 * Returns a deployment without the resources on a host: release containers, and resources of the Docker provider of
 * that name. Dependencies on them are removed, the foundation will be compared again, and the host's cordon is lifted.
 */
export function withoutHost(deployment: Deployment, host: string): Deployment {
  const rest = withoutResources(deployment, (resource) => isOn(resource, host));
  const resources = (rest.resources ?? []).map((resource) => ({
    ...resource,
    ...(resource.inputs ? { inputs: withoutHostIn(resource.type, resource.inputs, host) } : {}),
    ...(resource.outputs ? { outputs: withoutHostIn(resource.type, resource.outputs, host) } : {}),
  }));
  return { ...rest, resources };
}

const onHosts = new Set(['Container', 'Edge', 'Accessory', 'SecretFiles'].map((kind) => `lockage:index:${kind}`));

function isOn({ urn, type, provider = '', inputs = {} }: Exported, host: string): boolean {
  if (onHosts.has(type)) return (unpacked(inputs) as ContainerInputs).host.name === host;
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
    return withoutCordonIn(values as LedgerInputs, host);
  }
  return values;
}

function withoutCordonIn(values: LedgerInputs, host: string): LedgerInputs {
  if (!values.cordons?.some((cordon) => cordon.host === host)) return values;
  const { app, environment, revisions, ...known } = values;
  const ledger: Ledger = { ...known, revisions: JSON.parse(revisions) as Ledger['revisions'] };
  return { app, environment, ...counted(withoutCordon(ledger, host)), revisions };
}
