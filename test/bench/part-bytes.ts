import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RegistryClient } from '../../infra/registry/client.ts';
import type { BareHost } from '../../scripts/lab/lab.ts';
import { readState } from '../../scripts/lab/state.ts';
import { figure, type Row } from './measure.ts';
import type { Part } from './parts.ts';
import { recordedReleases } from './releases.ts';
import { randomContent, type Stage } from './stage.ts';

const large = 200_000_000;
const small = 10_000;
/** headers, acknowledgements and the calls of the engine beside what they carry: per byte and per pull */
const overhead = { share: 0.1, fixed: 64_000 };

/**
 * The bytes that move to each host when 10 kB of a 200 MB image changed: the report, the registry and the cable must
 * agree.
 */
export const bytesPart: Part = {
  name: 'bytes',
  environments: { host: { hosts: 2, reach: 'unix' } },
  async measure(stage) {
    await stage.place('two', stage.lab.hosts);
    const same = randomContent(large);
    await stage.release('1.0.0', [same, randomContent(small)]);
    await stage.release('1.0.1', [same, randomContent(small)]);
    const first = await moved(stage, '1.0.0');
    const before = await Promise.all(stage.lab.hosts.map((host) => received(stage, host)));
    const second = await moved(stage, '1.0.1');
    const after = await Promise.all(stage.lab.hosts.map((host) => received(stage, host)));
    const cable = after.map((bytes, index) => bytes - (before[index] ?? 0));
    const changed = await changedBytes(stage);
    const most = changed.layers + changed.manifests;
    const onCable = figure(cable).median;
    return [
      row('the whole image, per host', first, {}),
      row('a 10 kB layer of 200 MB changed, per host', second, {
        baseline: figure([most]),
        against: 'changed layers and manifests',
        goal: 'no more than these',
        met: second.every((bytes) => bytes <= most),
      }),
      row('the same, on the cable of the host', cable, {
        baseline: figure([most]),
        against: 'changed layers and manifests',
        goal: 'these and what carries them',
        met: onCable <= most * (1 + overhead.share) + overhead.fixed,
        note: 'all packets to the host during the promotion, with every call of the health check and the public port',
      }),
    ];
  },
};

function row(what: string, bytes: readonly number[], rest: Partial<Row>): Row {
  return { part: 'bytes', what, unit: 'bytes', ours: figure(bytes), ...rest };
}

async function moved(stage: Stage, version: string): Promise<number[]> {
  const { stdout } = await stage.must('promote', version, '--to', 'two', '--yes', '--json');
  return Object.values((JSON.parse(stdout) as { bytesMoved: Record<string, number> }).bytesMoved);
}

/** Returns what the machine's end of the host's cable has sent: what the host received. */
async function received(stage: Stage, host: BareHost): Promise<number> {
  const state = await readState(stage.lab.dataDir);
  const cable = state?.hosts.find(({ name }) => name === host.name)?.cable ?? '';
  return Number(await readFile(join('/sys/class/net', cable, 'statistics', 'tx_bytes'), 'utf8'));
}

/** Returns the bytes of the second release that the first does not have, as the registry keeps them. */
async function changedBytes(stage: Stage): Promise<{ layers: number; manifests: number }> {
  const registry = new RegistryClient({ insecure: [stage.lab.registry] });
  const [old, fresh] = await Promise.all(
    (await recordedReleases(stage)).map(async ({ repository, digest }) => {
      const { bytes } = await registry.manifest(repository, digest);
      return { ...(JSON.parse(bytes.toString('utf8')) as ImageManifest), size: bytes.length };
    }),
  );
  const known = new Set(old?.layers.map((layer) => layer.digest));
  const layers = fresh?.layers.filter((layer) => !known.has(layer.digest)).map(({ size }) => size) ?? [];
  return {
    layers: layers.reduce((sum, size) => sum + size, 0),
    manifests: (fresh?.size ?? 0) + (fresh?.config.size ?? 0),
  };
}

/** A manifest as the registry keeps it; sizes in bytes. */
interface ImageManifest {
  readonly config: { readonly size: number };
  readonly layers: readonly { readonly digest: string; readonly size: number }[];
}
