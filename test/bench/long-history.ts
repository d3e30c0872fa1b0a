/** Years of releases, as they are recorded: written as Pulumi keeps them, since to record them one by one takes an hour. */
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Release } from '../../pipelines/model/release.ts';

/** bytes of each of four statements about a release, as they lie in the record: a bill of some hundred packages, and three small ones */
const statements = [32_000, 2_000, 2_000, 2_000];

interface Resource {
  readonly urn: string;
  readonly type: string;
  inputs?: { content?: string };
  outputs?: { content?: string };
}

interface State {
  readonly checkpoint: { readonly latest: { readonly resources: readonly Resource[] } };
}

/** Adds as many releases with evidence to a project that has some of both. `folder`: of its stacks in the backend. */
export async function addHistory(folder: string, count: number): Promise<void> {
  const made: Release[] = [];
  await changeContent(join(folder, 'releases.json'), 'Releases', (content: { releases: Release[] }) => {
    const [first] = content.releases;
    if (!first) throw new Error('a project without a release');
    for (let index = 0; index < count; index += 1) {
      const digest = `sha256:${createHash('sha256').update(`${index}`).digest('hex')}` as const;
      made.push({ ...first, version: `0.${index}.0`, digest, sequence: index + 1 });
    }
    return { ...content, releases: [...made, ...content.releases] };
  });
  const known = (await readdir(folder)).filter((name) => /^evidence-[0-9a-f]{2}\.json$/.test(name));
  const [template] = known;
  if (!template) throw new Error('a project without evidence');
  const text = await readFile(join(folder, template), 'utf8');
  for (const [shard, releases] of shardsOf(made)) {
    const name = `evidence-${shard}.json`;
    const path = join(folder, name);
    const isThere = known.includes(name);
    if (!isThere) await writeFile(path, text.replaceAll(template.replace('.json', ''), `evidence-${shard}`));
    await changeContent(path, 'Evidence', (content: { evidence: Record<string, string[]> }) => {
      const added = Object.fromEntries(releases.map(({ digest }) => [digest, statements.map(statement)]));
      return { ...content, evidence: { ...(isThere ? content.evidence : {}), ...added } };
    });
  }
}

const statement = (bytes: number) => randomBytes((bytes * 3) / 4).toString('base64');

function shardsOf(releases: readonly Release[]): Map<string, Release[]> {
  const shards = new Map<string, Release[]>();
  for (const release of releases) {
    const shard = release.digest.slice(7, 9);
    shards.set(shard, [...(shards.get(shard) ?? []), release]);
  }
  return shards;
}

async function changeContent<Content>(
  path: string,
  type: string,
  change: (content: Content) => Content,
): Promise<void> {
  const state = JSON.parse(await readFile(path, 'utf8')) as State;
  const resource = state.checkpoint.latest.resources.find((each) => each.type === `lockage:index:${type}`);
  const content = resource?.inputs?.content;
  if (!resource || content === undefined) throw new Error(`${path} records no ${type}`);
  const changed = JSON.stringify(change(JSON.parse(content) as Content));
  resource.inputs = { ...resource.inputs, content: changed };
  if (resource.outputs) resource.outputs = { ...resource.outputs, content: changed };
  await writeFile(path, JSON.stringify(state));
}
