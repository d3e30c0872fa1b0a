import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dockerHost } from '../../../infra/docker/address.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { Engine, type LogOptions } from '../../../infra/docker/api/client.ts';
import { FrameReader, LineReader, outputLines } from '../../../infra/docker/api/frames.ts';
import { imagePath, segment } from '../../../infra/docker/api/names.ts';
import { PullCourse, type LayerMessage } from '../../../infra/docker/api/pull-course.ts';
import { readTar, tarArchive } from '../../../infra/docker/api/tar.ts';
import { Connections } from '../../../infra/docker/connections.ts';
import { managerProblem } from '../../../infra/docker/swarm-leader.ts';
import { fromRecord } from '../../../pipelines/model/target-record.ts';

let folder: string;
let server: Server | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-engine-'));
});

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** An engine that answers a pull by what the test writes. */
async function engineThat(answer: (response: ServerResponse, path: string) => void): Promise<Engine> {
  const socketPath = join(folder, 'engine.sock');
  const made = createServer((request, response) => {
    if (request.url === '/version')
      response.end(JSON.stringify({ ApiVersion: '1.47', MinAPIVersion: '1.24', Version: 'x' }));
    else answer(response, request.url ?? '');
  });
  server = made;
  await new Promise<void>((resolve) => made.listen(socketPath, resolve));
  return new Engine({ host: 'prod-1', socketPath });
}

describe('a pull', () => {
  it('that fails inside the answer 200 is an error with the engine’s words', async () => {
    const engine = await engineThat((response) => {
      response.write('{"status":"Downloading","id":"a","progressDetail":{"current":1,"total":9}}\r\n');
      response.end('{"errorDetail":{"message":"write /x: no space left on device"},"error":"…"}\r\n');
    });
    const pull = engine.pull('r/shop', 'sha256:1');
    await expect(pull).rejects.toThrow('prod-1: cannot pull r/shop@sha256:1: write /x: no space left on device');
    await expect(pull).rejects.toMatchObject({ hint: 'Free disk space on prod-1; nothing was removed to make room.' });
  });

  it.each([
    'null',
    '5',
    '[]',
    '{"id":5}',
    '{"errorDetail":"x"}',
    '{"id":"a","status":"Downloading","progressDetail":7}',
  ])('in which an engine says %s is an error that says so', async (line) => {
    const engine = await engineThat((response) => response.end(`${line}\r\n`));
    await expect(engine.pull('r/shop', 'sha256:1')).rejects.toThrow(
      `prod-1: cannot pull r/shop@sha256:1: an answer that is not a Docker Engine's: ${line}`,
    );
  });

  it('that fails with several lines is an error of one', async () => {
    const engine = await engineThat((response) => {
      response.end(`${JSON.stringify({ errorDetail: { message: 'denied\nhelp   Run `x`.\n' } })}\r\n`);
    });
    await expect(engine.pull('r/shop', 'sha256:1')).rejects.toThrow(/: denied help {3}Run `x`\.$/);
  });

  it('in which what is not there is null goes on', async () => {
    const engine = await engineThat((response) => {
      response.write('{"id":null,"status":"Pulling from r/shop","progressDetail":null,"errorDetail":null}\r\n');
      response.end('{"id":"a","status":"Downloading","progressDetail":{"current":4,"total":null}}\r\n');
    });
    expect(await engine.pull('r/shop', 'sha256:1')).toEqual({ bytes: 4 });
  });

  it.each(['{"errorDetail":{"message":"', '{"error":"'])(
    'that fails with words without an end, as %s, is cut',
    async (start) => {
      const engine = await engineThat((response) =>
        response.end(`${start}${'x'.repeat(500_000)}"${start.includes('D') ? '}' : ''}}\n`),
      );
      const error = await engine.pull('r/shop', 'sha256:1').catch((thrown: unknown) => thrown);
      expect((error as Error).message).toMatch(/^prod-1: cannot pull r\/shop@sha256:1: x{1999}…$/);
    },
  );

  it('whose connection breaks is an error', async () => {
    const engine = await engineThat((response) => {
      response.write('{"status":"Pulling"}\n', () => response.destroy());
    });
    await expect(engine.pull('r/shop', 'sha256:1')).rejects.toThrow(/^prod-1: .*connection to the Docker Engine broke/);
  });

  it('whose engine says nothing is given up', async () => {
    const engine = await engineThat((response) => void response.write('{"status":"Pulling"}\n'));
    await expect(engine.pull('r/shop', 'sha256:1', { idleTimeout: 1000 })).rejects.toThrow('no progress for 1 s');
  });

  it('whose engine talks while nothing comes is given up, and says how far it got', async () => {
    const engine = await engineThat((response) => {
      response.write('{"status":"Already exists","id":"base"}\n{"status":"Pulling fs layer","id":"b"}\n');
      response.write('{"status":"Downloading","progressDetail":{"current":5,"total":18},"id":"a"}\n');
      const talk = setInterval(() => {
        response.write('{"status":"Downloading","progressDetail":{"current":5,"total":18},"id":"a"}\n');
        response.write('{"status":"Retrying in 5 seconds","id":"b"}\n{"status":"Waiting"}\n');
      }, 20);
      response.on('close', () => clearInterval(talk));
    });
    await expect(engine.pull('r/shop', 'sha256:1', { idleTimeout: 200 })).rejects.toMatchObject({
      message:
        'prod-1: cannot pull r/shop@sha256:1: no progress for 0.2 s (1 of 3 layers are there, 5 of 18 bytes downloaded)',
      hint: 'Check the way between prod-1 and the registry, then run the same command again.',
    });
  });

  it('that is slow is never given up', async () => {
    const engine = await engineThat((response) => {
      let current = 0;
      const trickle = setInterval(() => {
        current += 1;
        response.write(`{"status":"Downloading","progressDetail":{"current":${current},"total":9},"id":"a"}\n`);
        if (current < 9) return;
        clearInterval(trickle);
        response.end('{"status":"Download complete","id":"a"}\n');
      }, 150);
    });
    expect(await engine.pull('r/shop', 'sha256:1', { idleTimeout: 1000 })).toEqual({ bytes: 9 });
  });

  it('is known by a bounded number of layers, however many an engine speaks of', () => {
    const course = new PullCourse();
    const told = Array.from({ length: 10_000 }, (_, id) => course.take({ id: `${id}`, status: 'Waiting' }));
    expect(told.filter(Boolean)).toHaveLength(4096);
    expect(course.text()).toBe('0 of 4096 layers are there, nothing downloaded');
    const steps = Array.from({ length: 100 }, (_, number) => course.take({ id: '1', status: `step ${number}` }));
    expect(steps.filter(Boolean)).toHaveLength(15);
  });

  it.each<[string, LayerMessage[], boolean[]]>([
    [
      'bytes that grow',
      [1, 1, 2].map((current) => ({ id: 'a', status: 'Downloading', progressDetail: { current } })),
      [true, false, true],
    ],
    [
      'bytes that grow again after a new beginning',
      [5, 1, 2].map((current) => ({ id: 'a', status: 'Downloading', progressDetail: { current } })),
      [true, false, true],
    ],
    [
      'seconds of unpacking, for an hour',
      [3599, 3600, 3601].map((current) => ({ id: 'a', status: 'Extracting', progressDetail: { current, units: 's' } })),
      [true, true, false],
    ],
    [
      'steps, once each, also those that engines may have one day',
      ['Waiting', 'Waiting', 'Cleaning', 'Retrying in 1 second'].map((status) => ({ id: 'a', status })),
      [true, false, true, false],
    ],
  ])('gets further by %s', (_what, messages, further) => {
    const course = new PullCourse();
    expect(messages.map((message) => course.take(message) !== undefined)).toEqual(further);
  });

  it('counts downloaded bytes per layer once, whatever the chunks', async () => {
    const lines = [
      '{"status":"Already exists","progressDetail":{},"id":"base"}',
      ...[1, 5, 9].map(
        (current) => `{"status":"Downloading","progressDetail":{"current":${current},"total":9},"id":"a"}`,
      ),
      '{"status":"Extracting","progressDetail":{"current":500,"total":500},"id":"a"}',
      '{"status":"Downloading","progressDetail":{"current":2,"total":2},"id":"b"}',
      '{"status":"Downloading","progressDetail":{"current":3,"total":7},"id":"c"}',
      '{"status":"Download complete","progressDetail":{},"id":"c"}',
    ].join('\n');
    const engine = await engineThat((response) => {
      for (const byte of lines) response.write(byte);
      response.end();
    });
    expect(await engine.pull('r/shop', 'sha256:1')).toEqual({ bytes: 18 });
  });
});

describe('the images of a repository', () => {
  const digest = `sha256:${'a'.repeat(64)}`;

  it.each([
    ['docker.io/team/shop', 'team/shop'],
    ['docker.io/library/caddy', 'caddy'],
    ['r.example.com/team/shop', 'r.example.com/team/shop'],
    ['localhost/shop', 'localhost/shop'],
    ['127.0.0.1:*/lockage-pull/shop', '127.0.0.1:4711/lockage-pull/shop'],
  ])('%s have its name, though the engine lists %s', async (repository, listed) => {
    const pattern = repository.includes('*') ? repository : listed;
    const names = { RepoDigests: [`${listed}@${digest}`], RepoTags: [`${listed}:1`, '<none>:<none>', 'other/name:1'] };
    const engine = await engineThat((response, path) => {
      const filters = new URL(path, 'http://engine').searchParams.get('filters');
      response.end(JSON.stringify(filters === JSON.stringify({ reference: [pattern] }) ? [names] : []));
    });
    const full = repository.replace('*', '4711');
    expect(await engine.listImages(repository)).toEqual([`${full}@${digest}`, `${full}:1`]);
  });

  it('have its name also among all that the engine has', async () => {
    const images = [{ RepoDigests: [`team/shop@${digest}`], RepoTags: null }, { RepoTags: ['caddy:2', 'r.io/a/b:1'] }];
    const engine = await engineThat((response) => response.end(JSON.stringify({ LayersSize: 7, Images: images })));
    expect(await engine.imageUse()).toEqual({
      bytes: 7,
      references: [`docker.io/team/shop@${digest}`, 'docker.io/library/caddy:2', 'r.io/a/b:1'],
    });
  });
});

describe('the connection', () => {
  it('repeats a reading call once when it is cut, never a writing one', async () => {
    const calls: string[] = [];
    const engine = await engineThat((response, path) => {
      calls.push(path);
      response.destroy();
    });
    await expect(engine.info()).rejects.toThrow('broke');
    expect(calls).toEqual(['/v1.41/info', '/v1.41/info']);
    await expect(engine.createContainer('a', { Image: 'b' })).rejects.toThrow('broke');
    expect(calls).toHaveLength(3);
  });

  it('that is not there is named with the socket', async () => {
    const engine = new Engine({ host: 'prod-1', socketPath: join(folder, 'absent.sock') });
    await expect(engine.info()).rejects.toThrow(`no Docker Engine listens at ${folder}/absent.sock`);
  });

  it('that says nothing is waited for as long as the caller says, and not by anybody who ends', async () => {
    const socketPath = join(folder, 'silent.sock');
    const silent = createServer(() => undefined);
    server = silent;
    await new Promise<void>((resolve) => silent.listen(socketPath, resolve));
    const engine = new Engine({ host: 'prod-1', socketPath });
    const impatient = engine.info({ deadline: 200 });
    const ended = engine.info({ signal: AbortSignal.abort(new Error('interrupted')) });
    await expect(ended).rejects.toThrow('interrupted');
    await expect(impatient).rejects.toThrow('prod-1: cannot reach the Docker Engine: no answer within 0.2 s');
  });

  it('to something else than an engine is told by what it says', async () => {
    const engine = await engineThat((response) => response.end('<h1>Log in\u001b[2J</h1>'));
    await expect(engine.info()).rejects.toThrow(
      String.raw`prod-1: cannot ask about the engine: an answer that is not JSON: <h1>Log in\u001b[2J</h1>`,
    );
  });

  it('refuses an engine that is too old', async () => {
    const socketPath = join(folder, 'old.sock');
    const old = createServer((_, response) => response.end('{"ApiVersion":"1.39","Version":"18.09"}'));
    server = old;
    await new Promise<void>((resolve) => old.listen(socketPath, resolve));
    await expect(new Engine({ host: 'prod-1', socketPath }).info()).rejects.toThrow('18.09 is too old');
  });
});

describe('a manager of a swarm', () => {
  const node = { LocalNodeState: 'active', ControlAvailable: true, Error: '' };
  const leaderless =
    "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online.";
  const noLeader = 'its swarm has no leader: more than half of its managers have to see each other';

  it.each<[string, object, string | undefined]>([
    ['that can decide', {}, undefined],
    ['whose swarm has no leader', { Error: leaderless }, noLeader],
    ['that came up without one', { Error: leaderless, LocalNodeState: 'pending' }, noLeader],
    [
      'whose leader has just gone',
      { Error: 'rpc error: code = DeadlineExceeded desc = context deadline exceeded' },
      noLeader,
    ],
    ['that has something else to say', { Error: 'rpc error: code = Unknown desc = no key' }, 'no key'],
    ['that has just started', { LocalNodeState: 'pending' }, 'has not found its swarm again (pending)'],
    ['of none', { LocalNodeState: 'inactive' }, 'is not in a swarm: `docker swarm join` there'],
    ['that is a worker', { ControlAvailable: false }, 'is a worker of its swarm, not a manager'],
  ])('%s', async (_which, said, problem) => {
    const engine = await engineThat((response) => response.end(JSON.stringify({ Swarm: { ...node, ...said } })));
    expect(await managerProblem(engine)).toBe(problem);
  });
});

describe('the log of a container', () => {
  const container = JSON.stringify({ Config: { Tty: true } });
  const stalled = () =>
    engineThat((response, path) =>
      path.endsWith('/json') ? response.end(container) : void response.write('first\nsecond\n'),
    );

  it('that stalls is given up, unless it is followed', async () => {
    const engine = await stalled();
    const lines: string[] = [];
    const read = async (options: LogOptions) => {
      for await (const { line } of engine.logs('web', options)) lines.push(line);
    };
    await expect(read({ silence: 100 })).rejects.toThrow(
      'prod-1: cannot read the logs of web: nothing more came for 0.1 s',
    );
    await read({ follow: true, silence: 100, signal: AbortSignal.timeout(500) });
    expect(lines).toEqual(['first', 'second', 'first', 'second']);
  });

  it('may be read as slowly as its reader likes', async () => {
    const engine = await engineThat((response, path) => response.end(path.endsWith('/json') ? container : 'a\nb\n'));
    const lines: string[] = [];
    for await (const { line } of engine.logs('web', { silence: 100 })) {
      await sleep(300);
      lines.push(line);
    }
    expect(lines).toEqual(['a', 'b']);
  });
});

it('a command has one deadline for all of its calls', async () => {
  const engine = await engineThat((response, path) => {
    if (path.endsWith('/web/exec')) setTimeout(() => response.end('{"Id":"e1"}'), 500);
  });
  await expect(engine.exec('web', ['true'], { deadline: 300 })).rejects.toThrow('cannot run true in web: no answer');
  await expect(engine.exec('web', ['true'], { deadline: 700 })).rejects.toThrow('cannot run true in web: no answer');
});

describe('output', () => {
  const frame = (stream: number, text: string) => {
    const data = Buffer.from(text);
    const header = Buffer.alloc(8);
    header[0] = stream;
    header.writeUInt32BE(data.length, 4);
    return Buffer.concat([header, data]);
  };

  it('is taken apart wherever it is cut', async () => {
    const bytes = Buffer.concat([frame(1, 'grö'), frame(2, 'err\r\n'), frame(1, 'ße\nlast €')]);
    for (let size = 1; size < bytes.length; size++) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      );
      const found = [];
      for await (const line of outputLines(oneByOne(chunks), false)) found.push(line);
      expect(found).toEqual([
        { stream: 'stderr', line: 'err' },
        { stream: 'stdout', line: 'größe' },
        { stream: 'stdout', line: 'last €' },
      ]);
    }
  });

  it('of no length is no trouble', () => {
    expect([...new FrameReader().read(frame(1, ''))]).toEqual([]);
    expect([...new LineReader().end()]).toEqual([]);
  });
});

async function* oneByOne<T>(items: readonly T[]) {
  yield* items;
}

describe('an archive', () => {
  it('is read by tar', () => {
    const archive = tarArchive([
      { path: 'etc', type: 'directory', mode: 0o755 },
      { path: 'etc/größe', content: 'x'.repeat(513), mode: 0o400, uid: 65_534, gid: 7 },
      { path: 'etc/empty', mode: 0o600 },
    ]);
    const listed = execFileSync('tar', ['--numeric-owner', '--quoting-style=literal', '-tvf', '-'], {
      input: archive,
    }).toString();
    expect(listed).toMatch(/^drwxr-xr-x 0\/0 +0 .* etc\/$/m);
    expect(listed).toMatch(/^-r-------- 65534\/7 +513 .* etc\/größe$/m);
    expect(execFileSync('tar', ['-xOf', '-', 'etc/größe'], { input: archive }).length).toBe(513);
  });

  it('is read as tar writes it, with long names and links', () => {
    const long = `${'d'.repeat(90)}/${'f'.repeat(90)}`;
    mkdirSync(join(folder, 'in', 'd'.repeat(90)), { recursive: true });
    writeFileSync(join(folder, 'in', long), 'y'.repeat(1025), { mode: 0o640 });
    symlinkSync('../elsewhere/passwd', join(folder, 'in', 'passwd'));
    for (const format of ['pax', 'gnu']) {
      const owned = ['--owner=3000000', '--group=4', '--sort=name'];
      const archive = execFileSync('tar', [`--format=${format}`, ...owned, '-C', join(folder, 'in'), '-cf', '-', '.']);
      const read = readTar(archive);
      expect(read.map(({ path, type }) => `${type} ${path}`)).toEqual([
        'directory ./',
        `directory ./${'d'.repeat(90)}/`,
        `file ./${long}`,
        'link ./passwd',
      ]);
      expect(read[2]).toMatchObject({ mode: 0o640, uid: 3_000_000, gid: 4 });
      expect([read[2]?.content.length, read[3]?.target]).toEqual([1025, '../elsewhere/passwd']);
    }
  });

  it('holds long names and high numbers', () => {
    const path = `${'x'.repeat(99)}/größe`;
    const archive = tarArchive([{ path, content: 'z', mode: 0o400, uid: 4_294_967_294, gid: 2_097_152 }]);
    const listed = execFileSync('tar', ['--numeric-owner', '--quoting-style=literal', '-tvf', '-'], { input: archive });
    expect(listed.toString()).toContain('4294967294/2097152');
    expect(listed.toString()).toContain(path);
  });

  it.each(['', '/etc/passwd', '../up', 'a/../../b'])('does not hold "%s"', (path) => {
    expect(() => tarArchive([{ path, mode: 0o600 }])).toThrow(RangeError);
  });
});

describe('addresses', () => {
  it('are told to Docker’s own programs', () => {
    expect(dockerHost({ tcp: { host: '2001:db8::1', port: 2376 } })).toEqual({ host: 'tcp://[2001:db8::1]:2376' });
    expect(dockerHost({ socketPath: '/run/d.sock' })).toEqual({ host: 'unix:///run/d.sock' });
  });

  it('of a port of this machine need no certificates', async () => {
    const made = createServer((_, response) => response.end('{"OSType":"linux","ApiVersion":"1.47"}'));
    server = made;
    await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
    const { port } = made.address() as { port: number };
    const connections = new Connections({ stateDir: folder });
    const host = fromRecord({ name: 'prod-1', url: `tcp://127.0.0.1:${port}`, address: 'x' });
    const engine = await connections.engine(host);
    expect((await engine.info()).OSType).toBe('linux');
    expect(engine.certificates).toEqual([]);
    await connections.close();
  });
});

describe('names', () => {
  it('cannot bend a URL', () => {
    expect(segment('web-1.a_b')).toBe('web-1.a_b');
    for (const name of ['', '../x', 'a/b', 'a?b', '.hidden', 'a b']) expect(() => segment(name)).toThrow(LockageError);
    expect(imagePath('r.io:5000/shop@sha256:12')).toBe('r.io%3A5000/shop%40sha256%3A12');
    for (const name of ['', 'a/../b', 'a//b', '/a', 'a?b']) expect(() => imagePath(name)).toThrow(LockageError);
  });
});
