/** What operators do to an environment. Each ends with one that serves, and says which version may. */
import type { Random } from './random.ts';
import { environment, promoting, type Stage, type WayBack } from './stage.ts';

/** Something that is played: an operation, or a fault with what ends it. */
export interface Deed {
  readonly name: string;
  play(stage: Stage, random: Random): Promise<void>;
}

/** Promotes another release. */
export async function promote(stage: Stage, random: Random): Promise<void> {
  await stage.resumed();
  const version = stage.another(random);
  await stage.lockage(promoting(version));
  stage.serves = [version];
}

/** Returns a release that can be gone back to. There is one after each promotion. */
export async function wayBack(stage: Stage, random: Random): Promise<WayBack> {
  if (stage.ways.length === 0) {
    await promote(stage, random);
    const { json } = await stage.lockage(['status', '--env', environment]);
    stage.known = { ...stage.known, ways: json.rollback };
  }
  return random.pick(stage.ways);
}

async function rollback(stage: Stage, random: Random): Promise<void> {
  const { version } = await wayBack(stage, random);
  await stage.lockage(['rollback', environment, '--to', version, '--yes']);
  stage.serves = [version];
}

/** Promotes a release that must be taken back, and that no visitor may meet unless it `serves` for a moment. */
async function refused(stage: Stage, behaviour: Parameters<Stage['release']>[0], serves = false): Promise<void> {
  await stage.resumed();
  const version = await stage.release(behaviour);
  await stage.lockage(promoting(version), [3]);
  if (!serves && stage.visitors.met(version)) stage.wrong(`visitors met ${version}, which was never well`);
}

/** The operations, as steps of a soak. */
export const operations: readonly Deed[] = [
  { name: 'a promotion', play: promote },
  {
    name: 'a new release and its promotion',
    play: async (stage) => {
      await stage.resumed();
      const version = await stage.release();
      await stage.lockage(promoting(version));
      stage.serves = [version];
    },
  },
  {
    name: 'a promotion of what serves',
    play: async (stage) => {
      await stage.resumed();
      await stage.lockage(promoting(stage.serves[0] ?? ''));
    },
  },
  { name: 'a rollback', play: rollback },
  {
    name: 'a rollback, a promotion that its hold refuses, and a resume',
    play: async (stage, random) => {
      await rollback(stage, random);
      await stage.lockage(promoting(stage.another(random)), [2]);
      await stage.lockage(['resume', environment]);
    },
  },
  {
    name: 'a block, a promotion that it refuses, and an unblock',
    play: async (stage, random) => {
      await stage.resumed();
      const version = stage.another(random);
      await stage.lockage(['block', version, '--reason', 'soak']);
      await stage.lockage(promoting(version), [2]);
      await stage.lockage(['why', version, '--to', environment], [2]);
      await stage.lockage(['unblock', version]);
    },
  },
  {
    name: 'a drill of a rollback',
    play: async (stage, random) => {
      await wayBack(stage, random);
      await stage.lockage(
        random.pick([
          ['rollback', environment, '--drill'],
          ['drill', '--all'],
        ]),
      );
    },
  },
  {
    name: 'a promotion that has a job to pass, the job once more, and one that it does not pass',
    play: async (stage, random) => {
      await stage.resumed();
      const job = (...command: string[]) => ({ verification: [{ name: 'smoke', command }] });
      await stage.project.configure(job('node', '--version'));
      const version = stage.another(random);
      await stage.lockage(promoting(version));
      stage.serves = [version];
      await stage.lockage(['verify', environment]);
      await stage.project.configure(job('false'));
      await stage.lockage(['verify', environment], [3]);
      await stage.project.configure({ verification: [] });
    },
  },
  {
    name: 'a cordon and the return of the host',
    play: async (stage, random) => {
      const { name } = random.pick(stage.hosts);
      await stage.lockage(['host', 'cordon', name, '--env', environment, '--reason', 'soak']);
      await stage.lockage(['host', 'uncordon', name, '--env', environment, '--yes']);
    },
  },
  {
    name: 'a cordon, a promotion without the host, and its return',
    play: async (stage, random) => {
      await stage.resumed();
      const { name } = random.pick(stage.hosts);
      const version = stage.another(random);
      await stage.lockage(['host', 'cordon', name, '--env', environment, '--reason', 'soak']);
      await stage.lockage(promoting(version), [5]);
      await stage.lockage(['host', 'uncordon', name, '--env', environment, '--yes']);
      stage.serves = [version];
    },
  },
  {
    name: 'a healing where nothing drifted',
    play: async (stage) => void (await stage.lockage(['heal', environment, '--yes'])),
  },
  {
    name: 'a pruning',
    play: async (stage, random) =>
      void (await stage.lockage(
        random.pick([
          ['prune', environment, '--yes'],
          ['prune', '--yes'],
        ]),
      )),
  },
  {
    name: 'looks: doctor, drift, status, history, releases, logs, exec',
    play: async (stage) => {
      await stage.lockage(['doctor', environment], [stage.known.hold ? 2 : 0]);
      await stage.lockage(['drift', environment]);
      await stage.lockage(['status', '--check']);
      await stage.lockage(['history', environment]);
      await stage.lockage(['releases']);
      await stage.lockage(['logs', '--env', environment, '--tail', '5']);
      const { code, stderr } = await stage.project.run('exec', '--env', environment, '--', 'node', '--version');
      if (code !== 0) stage.wrong(`lockage exec ended with ${code}: ${stderr.slice(-300)}`);
    },
  },
  { name: 'a release that is never healthy', play: (stage) => refused(stage, { unhealthy: true }) },
  {
    name: 'a release that is not healthy on one host',
    play: (stage, random) => refused(stage, { unhealthyOn: random.pick(stage.hosts).name }),
  },
  {
    name: 'a release that crashes when visitors come',
    play: (stage) => refused(stage, { crashAfterVisitMs: 600 }, true),
  },
];
