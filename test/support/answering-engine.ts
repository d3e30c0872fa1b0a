import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Engine } from '../../infra/docker/api/client.ts';

/** An engine that has an answer for each path, and 404 for every other. */
export interface AnsweringEngine {
  readonly engine: Engine;
  /** path without the version → what is answered there; a number is a status */
  readonly answers: Record<string, unknown>;
  close(): Promise<void>;
}

/** Starts an engine of API 1.41 behind a socket. */
export async function answeringEngine(first: Readonly<Record<string, unknown>>): Promise<AnsweringEngine> {
  const answers: Record<string, unknown> = { '/version': { ApiVersion: '1.41', Version: '20.10.24' }, ...first };
  const folder = await mkdtemp(join(tmpdir(), 'lockage-engine-'));
  const socketPath = join(folder, 'docker.sock');
  const server = createServer(({ url = '' }, response) => {
    const found = answers[new URL(url, 'http://engine').pathname.replace(/^\/v1\.41/, '')];
    response.writeHead(found === undefined ? 404 : typeof found === 'number' ? found : 200);
    response.end(JSON.stringify(found ?? { message: 'no such thing' }));
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const engine = new Engine({ host: 'prod-1', socketPath });
  const close = async () => {
    engine.close();
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { engine, answers, close };
}
