/**
 * Who may release what, and the proof of it: a release that nobody has approved stays out, so does one that somebody blocked, and
 * one whose tag leads to another image; and the log of all that was done is whole.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseDocument } from 'yaml';
import { run } from '../tools/command.ts';
import type { Player } from './player.ts';
import { commitVersion } from './project.ts';
import { screen } from './screen.ts';
import { folders } from './stage.ts';

const version = '1.4.0';
const earlier = '1.1.0';
const refused = 2;
/** What a release has to run well in uat: short, so that nobody waits for it. */
const soak = 5;

export async function approvedAndProven(player: Player): Promise<void> {
  const { ci, anna } = await newKeys(player);
  await askForProof();
  await commitVersion(version);
  await player.lockage(['release', version], { env: ci });
  for (const name of ['dev', 'qa', 'uat'] as const) {
    await player.lockage(['promote', version, '--to', name, '--yes', '--json'], { json: true, env: ci });
  }
  await player.lockage(['why', version, '--to', 'prod'], { code: refused, env: ci });
  await player.serves('prod', earlier);
  await player.lockage(['approve', version, '--to', 'prod'], { env: anna });
  await sleep(soak * 1000);
  await player.lockage(['promote', version, '--to', 'prod', '--yes', '--json'], { json: true, env: ci });
  await player.serves('prod', version);

  await player.lockage(['block', earlier, '--reason', 'it loses orders'], { env: ci });
  await player.lockage(['promote', earlier, '--to', 'dev', '--yes'], { code: refused, env: ci });
  await player.lockage(['unblock', earlier], { env: ci });
  await withMovedTag(player, () =>
    player.lockage(['promote', earlier, '--to', 'dev', '--yes'], { code: refused, env: ci }),
  );
  await player.serves('dev', version);
  await player.lockage(['audit', 'verify'], { env: ci });
}

type Variables = Readonly<Record<string, string>>;

/** Makes the keys of a builder and of a person, as each would on their own computer. Returns what chooses one of them. */
async function newKeys(player: Player): Promise<{ ci: Variables; anna: Variables }> {
  const keys = path.join(folders().project, '..', 'keys');
  const file = path.join(folders().project, 'lockage.yaml');
  const document = parseDocument(await readFile(file, 'utf8'));
  const signs = { ci: ['provenance', 'sbom', 'release', 'verification', 'promotion'], anna: ['approval'] };
  for (const [name, kinds] of Object.entries(signs)) {
    const words = ['key', 'new', name, '--json'];
    const { stdout } = await player.lockage(words, { quiet: true, env: { LOCKAGE_KEYS: keys } });
    document.setIn(['keys', name], { public: (JSON.parse(stdout) as { pem: string }).pem, signs: kinds });
  }
  await writeFile(file, document.toString({ lineWidth: 0 }));
  const choosing = (name: string) => ({ LOCKAGE_KEYS: keys, LOCKAGE_KEY: name, LOCKAGE_ACTOR: `${name}@demo` });
  return { ci: choosing('ci'), anna: choosing('anna') };
}

/** Has prod ask for proof, and for the approval of somebody who has not built it. */
async function askForProof(): Promise<void> {
  const file = path.join(folders().project, 'environments', 'prod.yaml');
  const document = parseDocument(await readFile(file, 'utf8'));
  document.set('soak', `${soak}s`);
  document.set('evidence', ['provenance', 'sbom', 'release', 'verification/uat']);
  document.set('approvals', { count: 1, from: ['anna'], not: ['builder'] });
  await writeFile(file, document.toString({ lineWidth: 0 }));
  screen.held('prod asks for a soak of 5 s in uat, signed provenance, and the approval of anna');
}

/** Does something while the tag of the earlier version leads to another image, as whoever has stolen a login would have it. */
async function withMovedTag(player: Player, work: () => Promise<unknown>): Promise<void> {
  const { builder, registry } = player.stage;
  const docker = (...words: string[]) => run(['docker', '-H', builder.docker, ...words], { timeout: 120_000 });
  const tag = `${registry}/shop:${earlier}`;
  const own = (await docker('image', 'inspect', '--format', '{{.Id}}', tag)).trim();
  const push = async (image: string) => {
    await docker('image', 'tag', image, tag);
    await docker('push', '--quiet', tag);
  };
  screen.command(['docker', 'push', `…/shop:${earlier}`, `(which is another image now)`]);
  await push(`${registry}/shop:${version}`);
  try {
    await work();
  } finally {
    await push(own);
  }
}
