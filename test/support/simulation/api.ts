import { randomBytes } from 'node:crypto';
import { containerAnswers } from './api-containers.ts';
import { Refusal, type SimulatedEngine } from './engine.ts';
import type { Execs } from './execs.ts';
import { imageDetails } from './images.ts';
import { done, filtersOf, hasLabels, jsonOf, ok, type Answers, type Call, type Reply } from './reply.ts';

/** Carries a call out. Throws Refusal. */
export async function answer(engine: SimulatedEngine, call: Call, execs: Execs): Promise<Reply> {
  const own = execAnswers(execs);
  for (const [method, pattern, handler] of [...own, ...containerAnswers, ...otherAnswers]) {
    const found = method === call.method ? pattern.exec(call.path) : null;
    if (found) return handler(engine, call, ...found.slice(1).map(decodeURIComponent));
  }
  throw new Refusal(404, `page not found: ${call.method} ${call.path}`);
}

const execAnswers = (execs: Execs): Answers => [
  [
    'POST',
    /^\/containers\/([^/]+)\/exec$/,
    (engine, call, name = '') => {
      const container = engine.container(name);
      if (!container.isRunning) throw new Refusal(409, `container ${container.id} is not running`);
      if (container.isPaused) throw new Refusal(409, `Container ${name} is paused, unpause the container before exec`);
      const { Cmd: argv, AttachStdin: hasInput, Env: env = [], WorkingDir: workingDir } = jsonOf(call) as ExecBody;
      const id = randomBytes(32).toString('hex');
      execs.set(id, { container, asked: { argv, env, workingDir }, hasInput, code: null });
      return ok({ Id: id }, 201);
    },
  ],
  [
    'GET',
    /^\/exec\/([^/]+)\/json$/,
    (_engine, _call, id = '') => {
      const found = execs.get(id);
      if (!found) throw new Refusal(404, `No such exec instance: ${id}`);
      return ok({ ID: id, Running: found.code === null, ExitCode: found.code });
    },
  ],
];

interface ExecBody {
  readonly Cmd: string[];
  readonly AttachStdin: boolean;
  readonly Env?: string[];
  readonly WorkingDir?: string;
}

const version = { ApiVersion: '1.47', MinAPIVersion: '1.24', Version: '27.0.0', Os: 'linux', Arch: 'amd64' };

const otherAnswers: Answers = [
  ['GET', /^\/_ping$/, () => ({ body: 'OK' })],
  ['GET', /^\/version$/, () => ok({ ...version, KernelVersion: '6.1.0' })],
  [
    'GET',
    /^\/info$/,
    (engine) =>
      ok({
        ...{ ID: engine.id, OSType: 'linux', OperatingSystem: 'Simulated', KernelVersion: '6.1.0', Driver: 'overlay2' },
        ...{ DockerRootDir: '/var/lib/docker', NCPU: 2, MemTotal: 2 ** 32, CgroupVersion: '2' },
        SystemTime: new Date(engine.now()).toISOString(),
        Swarm: { NodeID: '', LocalNodeState: 'inactive', ControlAvailable: false, Error: '' },
      }),
  ],
  [
    'GET',
    /^\/system\/df$/,
    (engine) =>
      ok({
        LayersSize: 1000,
        Images: engine.images.all.map(imageDetails),
        Volumes: [...engine.volumes.values()].map(({ Name }) => ({ Name, UsageData: { Size: 1000 } })),
      }),
  ],
  ['GET', /^\/images\/json$/, (engine, call) => ok(listedImages(engine, call))],
  [
    'GET',
    /^\/images\/(.+)\/json$/,
    (engine, _call, name = '') => {
      const found = engine.images.find(name);
      if (!found) throw new Refusal(404, `No such image: ${name}`);
      return ok(imageDetails(found));
    },
  ],
  [
    'POST',
    /^\/images\/create$/,
    (engine, { query }) => {
      const reference = `${query.get('fromImage')}@${query.get('tag')}`;
      const lines = engine.images.pull(reference);
      if (!lines) throw new Refusal(404, `manifest for ${reference} not found: manifest unknown`);
      return { body: lines.map((line) => `${JSON.stringify(line)}\r\n`).join('') };
    },
  ],
  [
    'POST',
    /^\/images\/(.+)\/tag$/,
    (engine, { query }, name = '') => {
      const isTagged = engine.images.tag(name, `${query.get('repo')}:${query.get('tag')}`);
      if (!isTagged) throw new Refusal(404, `No such image: ${name}`);
      return { status: 201 };
    },
  ],
  [
    'DELETE',
    /^\/images\/(.+)$/,
    (engine, _call, name = '') => {
      const found = engine.images.find(name);
      if (!found) throw new Refusal(404, `No such image: ${name}`);
      const isUsed = engine.containers.some(({ image }) => image.id === found.id);
      if (isUsed && found.names.length === 1)
        throw new Refusal(409, `conflict: unable to delete ${name} (must be forced) - container is using its image`);
      engine.images.remove(name);
      return ok([{ Untagged: name }]);
    },
  ],
  [
    'GET',
    /^\/networks$/,
    (engine, call) => ok([...engine.networks.values()].filter(({ Labels }) => hasLabels(call, Labels))),
  ],
  [
    'POST',
    /^\/networks\/create$/,
    (engine, call) => {
      const { Name, Labels = {} } = jsonOf(call) as { Name: string; Labels?: Record<string, string> };
      return ok({ Id: engine.createNetwork(Name, Labels).Id, Warning: '' }, 201);
    },
  ],
  [
    'GET',
    /^\/networks\/([^/]+)$/,
    (engine, _call, name = '') => {
      const found = engine.network(name);
      const members = engine.membersOf(found.Name).map((each) => [each.id, { Name: each.name }] as const);
      const made = { Scope: 'local', Driver: 'bridge', Internal: false, EnableIPv6: false, Attachable: false };
      return ok({ ...found, ...made, Options: {}, Containers: Object.fromEntries(members) });
    },
  ],
  [
    'DELETE',
    /^\/networks\/([^/]+)$/,
    (engine, _call, name = '') => {
      engine.removeNetwork(name);
      return done;
    },
  ],
  [
    'GET',
    /^\/volumes$/,
    (engine, call) => {
      const { name: [part = ''] = [] } = filtersOf(call);
      const all = [...engine.volumes.values()].filter(
        ({ Name, Labels }) => Name.includes(part) && hasLabels(call, Labels),
      );
      return ok({ Volumes: all, Warnings: null });
    },
  ],
  [
    'POST',
    /^\/volumes\/create$/,
    (engine, call) => {
      const { Name, Labels = null } = jsonOf(call) as { Name: string; Labels?: Record<string, string> };
      return ok(engine.createVolume(Name, Labels), 201);
    },
  ],
  [
    'GET',
    /^\/volumes\/([^/]+)$/,
    (engine, _call, name = '') => {
      const found = engine.volumes.get(name);
      if (!found) throw new Refusal(404, `get ${name}: no such volume`);
      return ok(found);
    },
  ],
  [
    'DELETE',
    /^\/volumes\/([^/]+)$/,
    (engine, _call, name = '') => {
      engine.removeVolume(name);
      return done;
    },
  ],
];

function listedImages(engine: SimulatedEngine, call: Call) {
  const { reference: [pattern] = [] } = filtersOf(call);
  const all = engine.images.all.map(imageDetails);
  if (pattern === undefined) return all;
  const wanted = new RegExp(`^${pattern.split('*').map(literally).join('[^/]*')}[:@]`);
  return all.filter(({ RepoTags, RepoDigests }) => [...RepoTags, ...RepoDigests].some((name) => wanted.test(name)));
}

function literally(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
