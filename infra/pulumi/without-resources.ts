/** A resource of an exported deployment; only the fields that are read. */
export interface Exported {
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

/** Returns a deployment without some resources, and without dependencies on them. */
export function withoutResources(deployment: Deployment, isGone: (resource: Exported) => boolean): Deployment {
  const all = deployment.resources ?? [];
  const gone = new Set(all.filter(isGone).map(({ urn }) => urn));
  const stays = (urn: string) => !gone.has(urn);
  return { ...deployment, resources: all.filter(({ urn }) => stays(urn)).map((each) => dependingOn(each, stays)) };
}

function dependingOn(resource: Exported, stays: (urn: string) => boolean): Exported {
  const { dependencies, propertyDependencies } = resource;
  return {
    ...resource,
    ...(dependencies ? { dependencies: dependencies.filter(stays) } : {}),
    ...(propertyDependencies
      ? {
          propertyDependencies: Object.fromEntries(
            Object.entries(propertyDependencies).map(([name, urns]) => [name, (urns ?? []).filter(stays)]),
          ),
        }
      : {}),
  };
}

/**
 * Returns whether a resource is an edge or accessory as it was recorded before these were resources of ours. What it
 * became on its host goes on under the same name, so it is forgotten: Pulumi would remove the container that serves.
 */
export function isFormerStanding({ type }: Exported): boolean {
  return type === 'docker:index/container:Container';
}
