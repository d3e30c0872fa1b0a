import * as pulumi from '@pulumi/pulumi';
import type { Archive } from '../../pipelines/model/archive.ts';
import type { Block } from '../../pipelines/model/block.ts';
import type { MachineImage } from '../../pipelines/model/machine-image.ts';
import type { Release } from '../../pipelines/model/release.ts';
import { basedOn, type Basis } from './basis.ts';
import { declarations, declare } from './declared.ts';
import type {
  AccessoryInputs,
  ContainerInputs,
  EdgeInputs,
  FoundationInputs,
  LoadBalancerInputs,
  HandoverInputs,
  LedgerInputs,
  MachineInputs,
  MachineNetworkInputs,
  MigrationInputs,
  OverlayInputs,
  RoutesInputs,
  SecretFilesInputs,
  SecretInputs,
  TurnInputs,
  VerificationInputs,
  WatchInputs,
} from './inputs.ts';
import { packed } from './packing.ts';

/** A resource of Lockage's own provider, as Pulumi programs declare it: packed, or recorded among the declarations by its class. */
class Resource extends pulumi.CustomResource {
  constructor(type: string, name: string, inputs: pulumi.Inputs, options?: pulumi.CustomResourceOptions) {
    if ('content' in inputs) declare({ type, name }, inputs);
    super(`lockage:index:${type}`, name, inputs, options);
  }
}

/**
 * A release container on one host, or a service on a swarm. Named by its content, so that it is added or removed and
 * never replaced.
 */
export class Container extends Resource {
  constructor(inputs: ContainerInputs, options?: pulumi.CustomResourceOptions) {
    super('Container', inputs.spec.name, packed(inputs), options);
  }
}

/** The migration of a release, run once. */
export class Migration extends Resource {
  constructor(inputs: MigrationInputs, options?: pulumi.CustomResourceOptions) {
    super('Migration', 'migration', packed(inputs), options);
  }
}

/** All containers of the environment proved themselves. */
export class Verification extends Resource {
  constructor(inputs: VerificationInputs, options?: pulumi.CustomResourceOptions) {
    super('Verification', 'verification', packed(inputs), options);
  }
}

/** The operation may act on every host, from what is recorded still: it is the first of all resources. */
export class Turn extends Resource {
  constructor(inputs: TurnInputs, basis: Basis) {
    super('Turn', 'turn', basedOn(basis, packed(inputs)));
  }
}

/** The routes of all hosts: what their edges send traffic to. */
export class Routes extends Resource {
  constructor(inputs: RoutesInputs, options?: pulumi.CustomResourceOptions) {
    super('Routes', 'routes', packed(inputs), options);
  }
}

/** The traffic of the environment comes to other machines. */
export class Handover extends Resource {
  constructor(inputs: HandoverInputs, options?: pulumi.CustomResourceOptions) {
    super('Handover', 'handover', packed(inputs), options);
  }
}

/** The release still ran well some time after the switch. */
export class Watch extends Resource {
  constructor(inputs: WatchInputs, options?: pulumi.CustomResourceOptions) {
    super('Watch', 'watch', packed(inputs), options);
  }
}

/** A version of a secret, sealed, and encrypted by Pulumi as well. It is given once; later runs need not know its value. */
export class Secret extends Resource {
  constructor(inputs: SecretInputs, options?: pulumi.CustomResourceOptions) {
    const name = `secret-${inputs.secret}-${inputs.version}`;
    const { sealed: _, ...known } = inputs;
    // With what is recorded already, whatever it is, or with this.
    declarations.add({ type: 'Secret', name }, known);
    declarations.add({ type: 'Secret', name }, inputs);
    super(
      'Secret',
      name,
      { ...inputs, sealed: pulumi.secret(inputs.sealed) },
      // `value` is how earlier versions recorded it: a plain `pulumi up` keeps it, and the next operation seals it.
      { ...options, ignoreChanges: ['sealed', 'value'], additionalSecretOutputs: ['sealed', 'value'] },
    );
  }
}

/** The record of an environment. */
export class Ledger extends Resource {
  constructor(
    inputs: Omit<LedgerInputs, 'revisions'> & { revisions: pulumi.Input<string> },
    options?: pulumi.CustomResourceOptions,
  ) {
    const revisions = pulumi.output(inputs.revisions).apply((text) => {
      declarations.add({ type: 'Ledger', name: 'ledger' }, { ...inputs, revisions: text });
      return text;
    });
    super('Ledger', 'ledger', { ...inputs, revisions }, options);
  }
}

/** The volume with the secrets of an accessory. */
export class SecretFiles extends Resource {
  constructor(name: string, inputs: SecretFilesInputs) {
    super('SecretFiles', name, packed(inputs));
  }
}

/** The edge proxy of an environment on one host. It is replaced when the next one has proved itself, and never removed first. */
export class Edge extends Resource {
  constructor(inputs: EdgeInputs, options?: pulumi.CustomResourceOptions) {
    super('Edge', `${inputs.host.name}-edge`, packed(inputs), options);
  }
}

/** An accessory of an environment. It is replaced as an edge is. */
export class Accessory extends Resource {
  constructor(inputs: AccessoryInputs, options?: pulumi.CustomResourceOptions) {
    super('Accessory', `${inputs.host.name}-${inputs.name}`, packed(inputs), options);
  }
}

/** The network of an environment on a swarm. */
export class Overlay extends Resource {
  constructor(inputs: OverlayInputs) {
    super('Overlay', 'overlay', packed(inputs));
  }
}

/** The record of a foundation: what it was made from. */
export class Foundation extends Resource {
  constructor(inputs: FoundationInputs, options?: pulumi.CustomResourceOptions) {
    super('Foundation', 'foundation', packed(inputs), options);
  }
}

/** The network of the machines that an environment owns. */
export class MachineNetwork extends Resource {
  constructor(inputs: MachineNetworkInputs) {
    super('MachineNetwork', inputs.bridge, packed(inputs));
  }
}

/** A machine that an environment owns. It is made and removed, and never changed. */
export class Machine extends Resource {
  constructor(inputs: MachineInputs, options?: pulumi.CustomResourceOptions) {
    super('Machine', inputs.name, packed(inputs), options);
  }
}

/** The record of the images that machines are made from. */
export class MachineImages extends Resource {
  constructor(inputs: { app: string; images: readonly MachineImage[] }, basis: Basis) {
    super('MachineImages', 'machine-images', basedOn(basis, packed(inputs)));
  }
}

/** The one address of the machines that an environment owns. */
export class LoadBalancer extends Resource {
  constructor(inputs: LoadBalancerInputs, options?: pulumi.CustomResourceOptions) {
    super('Front', 'front', packed(inputs), options);
  }
}

/** The record of an application's releases, and of what blocks some of them. */
export class Releases extends Resource {
  constructor(inputs: { app: string; releases: readonly Release[]; blocks?: readonly Block[] }, basis: Basis) {
    super('Releases', 'releases', basedOn(basis, packed(inputs)));
  }
}

/** The record of what is signed about some images of an application: bundles by the digest of the image. */
export class Evidence extends Resource {
  constructor(inputs: { app: string; evidence: Readonly<Record<string, readonly string[]>> }, basis: Basis) {
    super('Evidence', 'evidence', basedOn(basis, packed(inputs)));
  }
}

/** The record of an application's archived environments. */
export class Archives extends Resource {
  constructor(inputs: { app: string; archives: readonly Archive[] }, basis: Basis) {
    super('Archives', 'archives', basedOn(basis, packed(inputs)));
  }
}
