import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError, messageOf } from '../../pipelines/errors.ts';
import type { Engine } from '../docker/api/client.ts';

/** Milliseconds for a new edge to answer on all its ports. */
const answerTimeout = 15_000;

/** An edge as it is to be made, to be tried before any edge goes. */
export interface EdgeTrial {
  /** of its host, for messages */
  readonly host: string;
  /** of the container that is tried, and removed */
  readonly name: string;
  readonly image: string;
  readonly entrypoint: readonly string[];
  /** `NAME=value` */
  readonly env: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly number[];
  /** those that the edge of now does not publish: they have to be free */
  readonly newPorts: readonly number[];
}

/**
 * Starts a new edge beside the one that serves, until it answers inside, and removes it. Nothing else changes. Throws
 * LockageError when its image does not start or does not answer, or when something on the host listens on a new port:
 * only to bind a port tells whether any process has it.
 */
export async function tryEdge(engine: Engine, trial: EdgeTrial): Promise<void> {
  const { name } = trial;
  await engine.removeContainer(name, { force: true });
  try {
    await engine.createContainer(name, bodyOf(trial));
    await engine.startContainer(name).catch((error: unknown) => {
      throw takenPort(trial, error) ?? error;
    });
    await untilItAnswers(engine, trial);
  } finally {
    await engine.removeContainer(name, { force: true }).catch(() => undefined);
  }
}

function bodyOf({ image, entrypoint, env, labels, newPorts }: EdgeTrial) {
  return {
    Image: image,
    Entrypoint: [...entrypoint],
    Env: [...env],
    Labels: { ...labels },
    ExposedPorts: Object.fromEntries(newPorts.map((port) => [`${port}/tcp`, {}])),
    HostConfig: {
      PortBindings: Object.fromEntries(newPorts.map((port) => [`${port}/tcp`, [{ HostPort: String(port) }]])),
      Tmpfs: { '/live': 'rw,size=16m', '/tmp': 'rw,size=16m' },
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      CapAdd: ['CAP_NET_BIND_SERVICE'],
      SecurityOpt: ['no-new-privileges'],
      Memory: 256 * 2 ** 20,
      Init: true,
    },
  };
}

function takenPort({ host, newPorts }: EdgeTrial, error: unknown): LockageError | undefined {
  const text = messageOf(error);
  if (!/address already in use|port is already allocated|failed to bind/.test(text)) return undefined;
  const port = newPorts.find((each) => new RegExp(`\\b${each}\\b`).test(text)) ?? newPorts.join(' or ');
  return new LockageError(`${host}: port ${port} is taken by another program`, {
    hint: `See who listens with \`ss -ltnp\` on ${host}; stop it, or give the role another \`publish\` port.`,
    cause: error,
  });
}

async function untilItAnswers(engine: Engine, trial: EdgeTrial): Promise<void> {
  const end = performance.now() + answerTimeout;
  for (;;) {
    const details = await engine.inspectContainer(trial.name);
    if (!details?.State.Running) throw await notRunning(engine, trial, details?.State.ExitCode);
    if (await answers(engine, trial)) return;
    if (performance.now() > end) throw await silent(engine, trial);
    await sleep(100);
  }
}

async function answers(engine: Engine, { name, ports }: EdgeTrial): Promise<boolean> {
  const asks = ports.map((port) => `nc -w 2 127.0.0.1 ${port} </dev/null >/dev/null 2>&1`);
  const script = [...asks, 'true'].join(' && ');
  const { code } = await engine.exec(name, ['sh', '-c', script], { deadline: 10_000 }).catch(() => ({ code: 1 }));
  return code === 0;
}

async function notRunning(engine: Engine, trial: EdgeTrial, code: number | undefined): Promise<LockageError> {
  const how = code === undefined ? 'is gone' : `ended with exit code ${code}`;
  return failed(engine, trial, `the new edge proxy of image ${trial.image} ${how}`);
}

function silent(engine: Engine, trial: EdgeTrial): Promise<LockageError> {
  const ports = trial.ports.join(', ');
  return failed(engine, trial, `the new edge proxy of image ${trial.image} does not answer on port ${ports}`);
}

async function failed(engine: Engine, { host, name }: EdgeTrial, what: string): Promise<LockageError> {
  const lines = await lastLines(engine, name).catch(() => []);
  return new LockageError(`${host}: ${what}`, {
    details: lines,
    hint: 'Name an image with Caddy and a shell as `edge.image`, or leave it out.',
  });
}

async function lastLines(engine: Engine, name: string): Promise<string[]> {
  const lines: string[] = [];
  for await (const { line } of engine.logs(name, { tail: 10 })) lines.push(line);
  return lines;
}
