import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Engine } from '../../../infra/docker/api/client.ts';
import { readLock, takeLock, thisProcess } from '../../../infra/hosts/environment-lock.ts';
import type { LockHolder } from '../../../pipelines/model/lock-holder.ts';

interface Volume {
  readonly Name: string;
  readonly Labels: Readonly<Record<string, string>>;
}

const place = { app: 'shop', environment: 'prod' };
let folder: string;
let server: Server;
let engine: Engine;
let here: LockHolder;

/** What an engine does with volumes, where a lock is one. */
beforeEach(async () => {
  const volumes = new Map<string, Volume>();
  folder = mkdtempSync(join(tmpdir(), 'lockage-lock-'));
  server = createServer(async (request, response) => {
    const path = (request.url ?? '').replace(/^\/v1\.\d+/, '');
    const name = path.replace('/volumes/', '');
    if (path === '/version') return response.end('{"ApiVersion":"1.47","Version":"x"}');
    if (request.method === 'POST') {
      const asked = (await json(request)) as Volume;
      if (!volumes.has(asked.Name)) volumes.set(asked.Name, asked);
      return response.writeHead(201).end(JSON.stringify(volumes.get(asked.Name)));
    }
    const found = volumes.get(name);
    if (request.method === 'DELETE') volumes.delete(name);
    return response.writeHead(found ? 200 : 404).end(JSON.stringify(found ?? { message: 'no such volume' }));
  });
  await new Promise<void>((resolve) => server.listen(join(folder, 'docker.sock'), resolve));
  engine = new Engine({ host: 'prod-1', socketPath: join(folder, 'docker.sock') });
  here = { actor: 'anna@desk', ...(await thisProcess()), since: '2026-01-01T12:00:00Z', purpose: 'promote 1.0.0' };
});

afterEach(() => {
  engine.close();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A process of this computer that was killed. */
const killed = () => spawnSync('sh', ['-c', 'kill -9 $$']).pid;

describe('the lock of an environment', () => {
  it.each<[string, (left: LockHolder) => LockHolder]>([
    ['', (left) => left],
    [' of an earlier version', ({ pidSpace: _, ...left }) => left],
  ])('of a process%s that was killed here is taken over', async (_which, written) => {
    await takeLock(engine, place, written({ ...here, actor: 'bert@desk', pid: killed() }), 'left');
    const release = await takeLock(engine, place, here, 'mine');
    expect(await readLock(engine, place)).toEqual(here);
    await release();
    expect(await readLock(engine, place)).toBeUndefined();
  });

  it('stays with a process that lives', async () => {
    const living = spawn('sleep', ['60']);
    await once(living, 'spawn');
    await takeLock(engine, place, { ...here, pid: living.pid ?? 0 }, 'theirs');
    const refused = takeLock(engine, place, here, 'mine');
    await expect(refused).rejects.toMatchObject({
      name: 'LockedError',
      details: [`process ${living.pid} on ${here.machine}`],
    });
    living.kill();
    await once(living, 'exit');
    await takeLock(engine, place, here, 'mine');
  });

  it.each<[string, (space: string) => Partial<LockHolder>]>([
    ['another computer of the same name', (space) => ({ pidSpace: space.replace(/^\S+/, crypto.randomUUID()) })],
    ['a container of the same name', (space) => ({ pidSpace: `${space.split(' ')[0]} pid:[1]` })],
    ['a computer of another name', () => ({ machine: 'elsewhere' })],
  ])('stays with a process of %s, whose number nobody has here', async (_where, changes) => {
    const theirs = { ...here, pid: killed(), ...changes(here.pidSpace ?? '') };
    await takeLock(engine, place, theirs, 'theirs');
    await expect(takeLock(engine, place, here, 'mine')).rejects.toMatchObject({
      name: 'LockedError',
      details: [expect.stringContaining(`process ${theirs.pid} on ${theirs.machine}`)],
      hint: expect.stringContaining('lockage unlock prod'),
    });
    expect(await readLock(engine, place)).toEqual(theirs);
  });
});
