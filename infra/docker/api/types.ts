import type { Readable, Writable } from 'node:stream';
import type Docker from 'dockerode';

export type ContainerBody = Omit<Docker.ContainerCreateOptions, 'name'>;
export type ContainerDetails = Docker.ContainerInspectInfo;
export type ContainerSummary = Docker.ContainerInfo;
export type ContainerLimits = Docker.HostConfig;
export type ImageDetails = Docker.ImageInspectInfo;
export type EngineVersion = Docker.DockerVersion;
export type NetworkBody = Omit<Docker.NetworkCreateOptions, 'Name'>;
export type NetworkDetails = Docker.NetworkInspectInfo;
export type VolumeBody = Omit<Docker.VolumeCreateOptions, 'Name'>;
export type VolumeDetails = Docker.VolumeInspectInfo & {
  /** RFC 3339, by the clock of the host */
  readonly CreatedAt?: string;
};

/** The facts that an engine reports about itself and its host. */
export interface EngineInfo {
  /** names the engine; cloned machines may share one */
  readonly ID?: string;
  readonly OSType: string;
  /** the distribution: `Debian GNU/Linux 12 (bookworm)` */
  readonly OperatingSystem: string;
  /** RFC 3339, at the moment of the answer */
  readonly SystemTime: string;
  readonly KernelVersion: string;
  readonly DockerRootDir: string;
  readonly Driver: string;
  readonly CgroupVersion?: string;
  readonly NCPU: number;
  /** bytes */
  readonly MemTotal: number;
  readonly Swarm?: {
    readonly NodeID: string;
    readonly LocalNodeState: string;
    /** this node is a manager, and its swarm has a quorum */
    readonly ControlAvailable: boolean;
    readonly Error: string;
    readonly Cluster?: { readonly ID: string } | null;
  };
  readonly [field: string]: unknown;
}

/** The disk use of the engine's images. */
export interface ImageUse {
  /** bytes of all layers, each counted once */
  readonly bytes: number;
  /** `repository@digest` and `repository:tag` of every image that has one */
  readonly references: readonly string[];
}

/** An image as an engine lists it. */
export interface NamedImage {
  readonly id: string;
  /** layers that other images share are counted */
  readonly bytes: number;
  /** `repository@digest` and `repository:tag` */
  readonly names: readonly string[];
}

export interface CallOptions {
  /** milliseconds; 30 s by default */
  readonly deadline?: number;
  readonly signal?: AbortSignal | undefined;
}

/** The progress of one layer of a pull, as the engine reports it. Sizes are bytes, as far as known. */
export interface PullProgress {
  readonly layer: string;
  readonly status: string;
  readonly current: number | undefined;
  readonly total: number | undefined;
}

export interface PullOptions {
  /** value of `X-Registry-Auth` */
  readonly auth?: string | undefined;
  /** `linux/amd64` */
  readonly platform?: string | undefined;
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** milliseconds in which no layer gets further; 120 s by default */
  readonly idleTimeout?: number;
}

export interface LogOptions {
  /** number of last lines; all by default */
  readonly tail?: number;
  readonly follow?: boolean;
  readonly since?: Date;
  /** put before each line by the engine, in RFC 3339 */
  readonly timestamps?: boolean;
  /** milliseconds within which the next part of an output has to come that is not followed; 30 s by default */
  readonly silence?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ExecOptions {
  /** `uid[:gid]` or a name the container knows */
  readonly user?: string;
  /** written to the command, then closed; of a stream as fast as the command reads it */
  readonly stdin?: Buffer | string | Readable;
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  /** milliseconds until the command must have ended; 30 s by default */
  readonly deadline?: number;
  readonly signal?: AbortSignal | undefined;
  /** gets the command's stdout, as fast as it takes it */
  readonly stdout?: Writable;
  /** called with output as it arrives */
  readonly onOutput?: (stream: OutputStream, data: Buffer) => void;
  /** bytes kept per stream, the last ones; 1 MiB by default */
  readonly maxOutput?: number;
}

export interface ExecResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** output exceeded `maxOutput`, so its beginning is missing */
  readonly truncated: boolean;
  /** all of stdin was written to the connection; a command may end before */
  readonly wrote: boolean;
}

export type OutputStream = 'stdout' | 'stderr';

/** A line of a container's output, without its line end. */
export interface OutputLine {
  readonly stream: OutputStream;
  readonly line: string;
}

/** An entry of an archive. Paths are relative to where the archive is unpacked. */
export interface ArchiveEntry {
  readonly path: string;
  /** absent or empty for a directory */
  readonly content?: Buffer | string;
  /** permission bits, as 0o400 */
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly type?: 'file' | 'directory';
}

/** An entry of an archive that an engine sent, with the path that it has there. */
export interface ArchivedEntry {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'link';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly content: Buffer;
  /** where a link leads to */
  readonly target?: string;
}

/** A path in a container that is not as in its image. */
export interface FileChange {
  readonly path: string;
  readonly kind: 'changed' | 'added' | 'deleted';
}

/** The specification of a service; only the fields that Lockage sets or reads. */
export interface ServiceSpec {
  readonly Name: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly TaskTemplate: Readonly<Record<string, unknown>>;
  readonly Mode: { readonly Replicated?: { readonly Replicas: number } };
  readonly EndpointSpec: { readonly Mode?: string; readonly Ports?: readonly unknown[] };
}

export interface ServiceDetails {
  readonly ID: string;
  readonly Version: { readonly Index: number };
  readonly CreatedAt: string;
  readonly Spec: ServiceSpec;
}

/** A container of a service, from its scheduling to its end. A restarted container is another task. */
export interface SwarmTask {
  readonly ID: string;
  readonly ServiceID: string;
  readonly NodeID?: string;
  readonly DesiredState: string;
  readonly Spec: { readonly ContainerSpec?: { readonly Image: string } };
  readonly Status: {
    readonly State: string;
    readonly Timestamp: string;
    readonly Err?: string;
    readonly ContainerStatus?: { readonly ContainerID?: string };
  };
  readonly NetworksAttachments?: readonly { readonly Addresses?: readonly string[] }[] | null;
}

export interface SwarmNode {
  readonly ID: string;
  readonly Spec: { readonly Role: string; readonly Availability: string };
  readonly Description: {
    readonly Hostname: string;
    readonly Platform: { readonly OS: string; readonly Architecture: string };
  };
  readonly Status: { readonly State: string };
}
