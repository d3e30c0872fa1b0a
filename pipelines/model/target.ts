/** Machines of an environment's own, all alike. */
export interface MachineSet {
  /** `lxc`: system containers on this computer; `vm`: virtual machines on it */
  readonly kind: 'lxc' | 'vm';
  readonly count: number;
  /** `sha256:…` of what they are made from; absent until they are made */
  readonly image?: string;
  /** bytes of each */
  readonly memory: number;
  readonly cpus: number;
  /** an address of this computer that leads to all of them; absent: that of their network */
  readonly address?: string;
  /** bytes of each; system containers share this computer's */
  readonly disk?: number;
}

/**
 * A machine with a Docker Engine, reached by `unix:///path`, `ssh://user@host:port[/path/of/docker.sock]`, or
 * `tcp://host:port` with certificates (without them on this machine only).
 */
export interface Host {
  readonly name: string;
  readonly url: string;
  /** where the host's published ports are reached and accessories are found by other hosts */
  readonly address: string;
  /** private key file of this environment */
  readonly identity?: string;
  /** `user@host:port` to go through */
  readonly jump?: string;
  /** pinned host key: `SHA256:…` fingerprint */
  readonly hostKey?: string;
  readonly tls?: TlsFiles;
  /** it is no machine but a swarm: whichever of these answers speaks for it */
  readonly managers?: readonly Host[];
}

/** PEM files by which a client and an engine know each other. */
export interface TlsFiles {
  /** who signed the engine's certificate; nobody else is trusted */
  readonly ca: string;
  /** the client's certificate */
  readonly cert: string;
  /** its private key */
  readonly key: string;
}

/** A machine that is not made yet, and has no address. Nobody can write its URL as a target. */
export function pending(name: string): Host {
  return { name, url: `machine://${name}`, address: name };
}

export function isPending({ url }: Host): boolean {
  return url.startsWith('machine:');
}
