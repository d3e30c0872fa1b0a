import type { Duplex } from 'node:stream';
import { defaultDeadline } from '../../system/deadline.ts';
import { answers } from './answers.ts';
import { EngineError } from './errors.ts';
import { exec } from './exec.ts';
import { outputLines, silenceOf } from './frames.ts';
import { checkedName, segment } from './names.ts';
import { list } from '../../system/shapes.ts';
import { EngineSwarm } from './swarm.ts';
import { readTar, tarArchive } from './tar.ts';
import type {
  ArchivedEntry,
  ArchiveEntry,
  CallOptions,
  ContainerBody,
  ContainerDetails,
  ContainerLimits,
  ContainerSummary,
  ExecOptions,
  ExecResult,
  FileChange,
  LogOptions,
  OutputLine,
} from './types.ts';
import { parsedJson } from './wire.ts';

export { EngineError } from './errors.ts';
export type * from './types.ts';

/** Milliseconds to make or start a container: a busy or emulated machine needs more time. */
const createTimeout = 60_000;
/** Milliseconds to make an image of a container, which copies what it has written. */
const commitTimeout = 600_000;

/**
 * A host's Docker Engine. Every method throws EngineError, with the host's name, for what the engine refuses, for a
 * connection that breaks and for a deadline that passes; and the signal's reason when the caller's signal aborts.
 * It speaks the oldest API version that both sides know, so that all engines answer alike.
 */
export class Engine extends EngineSwarm {
  /** Creates a container and returns its id. `platform` as `linux/amd64`. */
  async createContainer(
    name: string,
    body: ContainerBody,
    options: CallOptions & { readonly platform?: string } = {},
  ): Promise<string> {
    const { platform, ...rest } = options;
    const query = { name: checkedName(name), platform };
    const call = { query, body, deadline: createTimeout, ...rest };
    return (
      await this.json<{ Id: string }>(`create container ${name}`, 'POST', '/containers/create', call, answers.created)
    ).Id;
  }

  /** Starts a container; does nothing when it already runs. */
  async startContainer(name: string, options: CallOptions = {}): Promise<void> {
    await this.call(`start container ${name}`, 'POST', `${pathOf(name)}/start`, {
      accept: [304],
      deadline: createTimeout,
      ...options,
    });
  }

  /** Sends TERM, and KILL after `graceMs`, rounded up to whole seconds. Does nothing when it is already stopped. */
  async stopContainer(name: string, graceMs: number, options: CallOptions = {}): Promise<void> {
    const rest = { query: { t: Math.ceil(graceMs / 1000) }, accept: [304], deadline: graceMs + defaultDeadline };
    await this.call(`stop container ${name}`, 'POST', `${pathOf(name)}/stop`, { ...rest, ...options });
  }

  /** Stops a container like that, and starts it: all of it is the engine's work, which goes on when whoever asked is gone. */
  async restartContainer(name: string, graceMs: number, options: CallOptions = {}): Promise<void> {
    const rest = { query: { t: Math.ceil(graceMs / 1000) }, deadline: graceMs + createTimeout };
    await this.call(`restart container ${name}`, 'POST', `${pathOf(name)}/restart`, { ...rest, ...options });
  }

  /**
   * Removes a container; does nothing when it is absent. Volumes that its image declares and nobody named go with it, as
   * nobody else finds them, unless they are to be kept; those with a name stay.
   */
  async removeContainer(
    name: string,
    options: CallOptions & { readonly force?: boolean; readonly keepsVolumes?: boolean | undefined } = {},
  ): Promise<void> {
    const { force = false, keepsVolumes = false, ...rest } = options;
    const call = { query: { force, v: !keepsVolumes }, accept: [404], ...rest };
    await this.call(`remove container ${name}`, 'DELETE', pathOf(name), call);
  }

  /** Gives a container another name, whether it runs or not. The engine refuses a name that is taken. */
  async renameContainer(name: string, to: string, options: CallOptions = {}): Promise<void> {
    const call = { query: { name: checkedName(to) }, ...options };
    await this.call(`rename container ${name} to ${to}`, 'POST', `${pathOf(name)}/rename`, call);
  }

  /** Changes the limits and the restart policy in place. */
  async updateContainer(name: string, limits: ContainerLimits, options: CallOptions = {}): Promise<void> {
    await this.call(`update container ${name}`, 'POST', `${pathOf(name)}/update`, { body: limits, ...options });
  }

  /**
   * Makes an image of a container's file system, volumes left out, with its settings and these labels besides. Returns its id.
   */
  async commitContainer(
    name: string,
    image: { readonly repository: string; readonly tag: string },
    labels: Readonly<Record<string, string>>,
    options: CallOptions = {},
  ): Promise<string> {
    const lines = Object.entries(labels).map(([key, value]) => `LABEL ${JSON.stringify(key)}=${JSON.stringify(value)}`);
    const query = { container: name, repo: image.repository, tag: image.tag, changes: lines.join('\n') };
    const call = { query, deadline: commitTimeout, ...options };
    return (await this.json<{ Id: string }>(`make an image of ${name}`, 'POST', '/commit', call, answers.created)).Id;
  }

  /** Returns undefined when the host does not have the container. */
  async inspectContainer(name: string, options: CallOptions = {}): Promise<ContainerDetails | undefined> {
    return this.find<ContainerDetails>(`inspect container ${name}`, `${pathOf(name)}/json`, options, answers.details);
  }

  /**
   * Lists containers that carry all the labels; an empty value asks only that the label is present. `all` includes
   * stopped ones.
   */
  async listContainers(
    options: CallOptions & { readonly labels?: Readonly<Record<string, string>>; readonly all?: boolean } = {},
  ): Promise<ContainerSummary[]> {
    const { labels = {}, all = false, ...rest } = options;
    const label = Object.entries(labels).map(([key, value]) => (value === '' ? key : `${key}=${value}`));
    const query = { all, ...(label.length === 0 ? {} : { filters: JSON.stringify({ label }) }) };
    return this.json<ContainerSummary[]>(
      'list containers',
      'GET',
      '/containers/json',
      { query, ...rest },
      list(answers.container),
    );
  }

  /** Returns what differs from a container's image in its file system. Undefined when it is gone. */
  async fileChanges(name: string, options: CallOptions = {}): Promise<FileChange[] | undefined> {
    const what = `list what has changed in ${name}`;
    const path = `${pathOf(name)}/changes`;
    const found = await this.find<{ Path: string; Kind: number }[] | null>(what, path, options, answers.changes);
    const kinds = ['changed', 'added', 'deleted'] as const;
    return found === undefined
      ? undefined
      : (found ?? []).map(({ Path, Kind }) => ({ path: Path, kind: kinds[Kind] ?? 'changed' }));
  }

  /** Returns the exit code once the container has ended; at once when it does not run. */
  async waitContainer(name: string, options: CallOptions = {}): Promise<number> {
    const what = `wait for container ${name}`;
    const path = `${pathOf(name)}/wait`;
    return (await this.json<{ StatusCode: number }>(what, 'POST', path, options, answers.waited)).StatusCode;
  }

  /**
   * Connects to the stdin and the output of a container, also before it starts. The output comes in frames, and has to be read. It
   * lasts until the container ends, or whoever asked ends it.
   */
  async attachContainer(name: string, options: CallOptions = {}): Promise<Duplex> {
    const [what, path] = [`connect to ${name}`, `${await this.prefix(options)}${pathOf(name)}/attach`];
    const query = { stream: true, stdin: true, stdout: true, stderr: true };
    return this.transport.hijack({ what, method: 'POST', path, query, deadline: defaultDeadline, ...options });
  }

  /** Yields lines of the container's output. An aborted signal ends them without an error. */
  async *logs(name: string, options: LogOptions = {}): AsyncGenerator<OutputLine> {
    const { tail = 'all', follow = false, timestamps = false, since, signal } = options;
    const what = `read the logs of ${name}`;
    const container = pathOf(name);
    try {
      const details = await this.json<ContainerDetails>(what, 'GET', `${container}/json`, { signal }, answers.details);
      const query = { stdout: true, stderr: true, tail, follow, timestamps, since: since && since.getTime() / 1000 };
      const path = `${await this.prefix({ signal })}${container}/logs`;
      const chunks = this.transport.chunks({ what, method: 'GET', path, query, signal }, silenceOf(options));
      yield* outputLines(chunks, details.Config.Tty);
    } catch (error) {
      if (signal?.aborted) return;
      throw error instanceof EngineError ? error : new EngineError(this.host, what, String(error), { cause: error });
    }
  }

  /**
   * Runs a command in a running container. A code other than 0 is a result, not an error; 126 and 127 mean that the
   * command could not be started. Past the deadline this throws while the command goes on: an engine cannot end an
   * exec.
   */
  async exec(name: string, argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const api = { transport: this.transport, prefix: await this.prefix(options) };
    return exec(api, checkedName(name), argv, options);
  }

  /**
   * Writes files and directories below `path`, which must be a directory in the container and not one of its tmpfs
   * mounts.
   */
  async putArchive(
    name: string,
    path: string,
    entries: readonly ArchiveEntry[],
    options: CallOptions = {},
  ): Promise<void> {
    const rest = { query: { path, noOverwriteDirNonDir: true }, body: tarArchive(entries), ...options };
    await this.call(`write files into ${name}:${path}`, 'PUT', `${pathOf(name)}/archive`, rest);
  }

  /** Reads a file, or a folder with all below it, also of a container that never ran. Undefined when it is not there. */
  async getArchive(name: string, path: string, options: CallOptions = {}): Promise<ArchivedEntry[] | undefined> {
    const what = `read ${path} of ${name}`;
    const rest = { query: { path }, accept: [404], ...options };
    const answer = await this.call(what, 'GET', `${pathOf(name)}/archive`, rest);
    return answer.status === 404 ? undefined : readTar(answer.body);
  }

  /**
   * Returns where a link in a container leads to, as an absolute path there; undefined when no link is there. It starts
   * nothing in the container, so it costs a host a tenth of reading it by a command.
   */
  async linkTarget(name: string, path: string, options: CallOptions = {}): Promise<string | undefined> {
    const what = `read the link ${path} of ${name}`;
    const { pathStat } = await this.call(what, 'HEAD', `${pathOf(name)}/archive`, {
      ...{ query: { path }, accept: [404] },
      ...options,
    });
    if (pathStat === undefined) return undefined;
    const { linkTarget } = parsedJson<PathStat>(this.host, what, Buffer.from(pathStat, 'base64'), answers.pathStat);
    return linkTarget === '' ? undefined : linkTarget;
  }
}

/** What the engine says of a path in a container; only what is read. */
interface PathStat {
  /** empty where it is no link */
  readonly linkTarget?: string;
}

function pathOf(container: string): string {
  return `/containers/${segment(container)}`;
}
