import { existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { basename, dirname, posix, relative } from 'node:path';
import type { ServerResponse } from 'node:http';
import type { ContainerBody, ContainerLimits } from '../../../infra/docker/api/types.ts';
import type { SimulatedContainer, Written } from './container.ts';
import { containerDetails, containerSummary, labelsOf } from './details.ts';
import { Refusal, type SimulatedEngine } from './engine.ts';
import { framed } from './execs.ts';
import { done, hasLabels, jsonOf, ok, type Answers, type Call, type Handler, type Reply } from './reply.ts';

const isSet = ({ query }: Call, name: string) => ['true', '1'].includes(query.get(name) ?? '');

/** A handler for what is done to one container. */
const on =
  (act: (engine: SimulatedEngine, container: SimulatedContainer, call: Call) => Reply | Promise<Reply>): Handler =>
  (engine, call, name = '') =>
    act(engine, engine.container(name), call);

/** What an engine answers that is asked about containers. */
export const containerAnswers: Answers = [
  [
    'GET',
    /^\/containers\/json$/,
    (engine, call) => {
      const asked = engine.containers.filter((each) => isSet(call, 'all') || each.isRunning);
      return ok(asked.filter((each) => hasLabels(call, labelsOf(each))).map(containerSummary));
    },
  ],
  [
    'POST',
    /^\/containers\/create$/,
    (engine, call) => {
      const body = jsonOf(call) as ContainerBody;
      return ok({ Id: engine.create(call.query.get('name') ?? '', body).id, Warnings: [] }, 201);
    },
  ],
  ['GET', /^\/containers\/([^/]+)\/json$/, on((_engine, container) => ok(containerDetails(container)))],
  [
    'POST',
    /^\/containers\/([^/]+)\/start$/,
    on(async (engine, container) => ({ status: (await engine.start(container)) ? 204 : 304 })),
  ],
  [
    'POST',
    /^\/containers\/([^/]+)\/stop$/,
    on(async (engine, container, { query }) => {
      const grace = Number(query.get('t') ?? 10) * 1000;
      return { status: (await engine.stop(container, grace)) ? 204 : 304 };
    }),
  ],
  [
    'POST',
    /^\/containers\/([^/]+)\/restart$/,
    on(async (engine, container, { query }) => {
      await engine.stop(container, Number(query.get('t') ?? 10) * 1000);
      await engine.start(container);
      return done;
    }),
  ],
  ['POST', /^\/containers\/([^/]+)\/kill$/, on((engine, container) => (engine.kill(container), done))],
  ['POST', /^\/containers\/([^/]+)\/pause$/, on((engine, container) => (engine.pause(container, true), done))],
  ['POST', /^\/containers\/([^/]+)\/unpause$/, on((engine, container) => (engine.pause(container, false), done))],
  [
    'POST',
    /^\/containers\/([^/]+)\/rename$/,
    on((engine, container, { query }) => (engine.rename(container, query.get('name') ?? ''), done)),
  ],
  [
    'POST',
    /^\/containers\/([^/]+)\/update$/,
    on((engine, container, call) => {
      engine.update(container, jsonOf(call) as ContainerLimits);
      return ok({ Warnings: null });
    }),
  ],
  ['POST', /^\/containers\/([^/]+)\/wait$/, on(async (_engine, container) => ok(await endOf(container)))],
  [
    'DELETE',
    /^\/containers\/([^/]+)$/,
    on((engine, container, call) => {
      engine.remove(container, { force: isSet(call, 'force'), withVolumes: isSet(call, 'v') });
      return done;
    }),
  ],
  ['GET', /^\/containers\/([^/]+)\/changes$/, on((engine, container) => ok(changesIn(engine, container)))],
  ['GET', /^\/containers\/([^/]+)\/logs$/, on((_engine, container, call) => logsOf(container, call))],
  ['PUT', /^\/containers\/([^/]+)\/archive$/, on(unpack)],
  ['GET', /^\/containers\/([^/]+)\/archive$/, on(packed)],
  ['HEAD', /^\/containers\/([^/]+)\/archive$/, on(looked)],
];

async function endOf(container: SimulatedContainer): Promise<{ StatusCode: number }> {
  if (container.isRunning) await new Promise<void>((resolve) => container.waiting.add(resolve));
  return { StatusCode: container.exitCode };
}

/** Returns what lies in a container besides its volumes. */
function changesIn(engine: SimulatedEngine, container: SimulatedContainer) {
  const root = engine.runner.pathIn(container, '/');
  const all = readdirSync(root, { recursive: true, withFileTypes: true });
  return all.map((entry) => ({ Path: `/${relative(root, posix.join(entry.parentPath, entry.name))}`, Kind: 1 }));
}

function logsOf(container: SimulatedContainer, { query }: Call): Reply {
  const tail = Number(query.get('tail') ?? Number.NaN);
  const since = Number(query.get('since') ?? 0) * 1000;
  const lines = container.output.flatMap(linesOf).filter(({ at }) => at >= since);
  const shown = Number.isNaN(tail) ? lines : tail === 0 ? [] : lines.slice(-tail);
  const stamped = query.get('timestamps') === 'true';
  const text = (written: Written) => textOf(written, { stamped, raw: container.body.Tty === true });
  const body = Buffer.concat(shown.map(text));
  if (query.get('follow') !== 'true' || !container.isRunning) return { body };
  const follow = (response: ServerResponse) => {
    const hear = (written: Written) => void response.write(text(written));
    container.followers.add(hear);
    container.waiting.add(() => response.end());
    return () => void container.followers.delete(hear);
  };
  return { body, follow };
}

function linesOf({ data, ...rest }: Written): Written[] {
  const lines = data.toString('latin1').split(/(?<=\n)/);
  return lines.map((line) => ({ ...rest, data: Buffer.from(line, 'latin1') }));
}

function textOf({ stream, at, data }: Written, how: { readonly stamped: boolean; readonly raw: boolean }): Buffer {
  const all = how.stamped ? Buffer.concat([Buffer.from(`${new Date(at).toISOString()} `), data]) : data;
  return how.raw ? all : framed(stream, all);
}

/** The programs that pack and unpack are those of this computer, which know of owners. */
function unpack(engine: SimulatedEngine, container: SimulatedContainer, { query, body }: Call): Reply {
  const folder = engine.runner.pathIn(container, query.get('path') ?? '');
  mkdirSync(folder, { recursive: true });
  for (const mount of container.mounts) {
    const inside = posix.relative(query.get('path') ?? '', mount.target);
    if (inside === '' || inside.startsWith('..')) continue;
    const [top = ''] = inside.split('/');
    if (inside !== top) continue;
    const place = engine.runner.volumeFolder(mount.volume);
    execFileSync('tar', ['-x', '-C', place, '--strip-components=1', top], { input: body });
    return {};
  }
  execFileSync('tar', ['-x', '-C', folder], { input: body });
  return {};
}

function packed(engine: SimulatedEngine, container: SimulatedContainer, { query }: Call): Reply {
  const path = query.get('path') ?? '';
  const place = engine.runner.pathIn(container, path);
  if (!existsSync(place)) throw new Refusal(404, `Could not find the file ${path} in container ${container.name}`);
  const names = ['-C', dirname(place), `--transform=s,^${basename(place)},${basename(path)},`, basename(place)];
  return { body: execFileSync('tar', ['-c', ...names], { maxBuffer: 64 * 2 ** 20 }) };
}

/** Says what a path is; where a link leads to as a path of the container. */
function looked(engine: SimulatedEngine, container: SimulatedContainer, { query }: Call): Reply {
  const path = query.get('path') ?? '';
  const place = engine.runner.pathIn(container, path);
  const found = lstatSync(place, { throwIfNoEntry: false });
  if (!found) return { status: 404 };
  const linkTarget = found.isSymbolicLink() ? posix.resolve(posix.dirname(path), readlinkSync(place)) : '';
  const stat = { name: basename(path), size: found.size, mode: found.mode, linkTarget };
  return { headers: { 'X-Docker-Container-Path-Stat': Buffer.from(JSON.stringify(stat)).toString('base64') } };
}
