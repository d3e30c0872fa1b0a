import { join } from 'node:path';
import { writeLog } from '../support/audit-lines.ts';
import { addHistory } from './long-history.ts';
import { figure, takeTurns, type Row } from './measure.ts';
import type { Part } from './parts.ts';
import type { Place, Stage } from './stage.ts';

const releases = 1000;
const thousands = 100;
/** How much longer a promotion may take than in a project that has just begun. */
const most = 1.1;
/** Milliseconds that `audit verify` may take, from the start of the process to its end. */
const longest = 5000;

/** A project of a thousand signed releases and a hundred thousand entries in its log, beside one that has just begun, on the same host. */
export const historyPart: Part = {
  name: 'history',
  environments: { host: { hosts: 1, reach: 'unix' } },
  async measure(stage, { rounds, log }) {
    const [young, old] = [await prepared(stage), await prepared(await stage.beside('old'))];
    log('a history');
    const folder = join(old.stage.project, '.lockage', 'state');
    await addHistory(join(folder, '.pulumi', 'stacks', 'old'), releases - 1);
    // Each promotion brings a new release in: an older one that was signed may not come back.
    const promote =
      ({ stage: of, place }: Project) =>
      async (round: number) => {
        const version = `1.${round + 1}.0`;
        await of.release(version);
        return (await of.promote(version, place)).took;
      };
    const took = await takeTurns(rounds, { young: promote(young), old: promote(old) }, 1);
    const verified: number[] = [];
    for (let round = 0; round < rounds; round += 1) verified.push((await old.stage.must('audit', 'verify')).took);
    const verify = figure(verified);
    const against = 'a project of a few releases';
    return [
      {
        ...{ part: 'history', what: 'promote, 1,000 releases with evidence', unit: 'ms', ours: took.old },
        ...{
          baseline: took.young,
          against,
          goal: `at most ${most} times`,
          met: took.old.median <= most * took.young.median,
        },
      },
      {
        ...{ part: 'history', what: `audit verify, ${thousands},000 entries`, unit: 'ms', ours: verify },
        ...{ goal: 'under 5 s', met: verify.median < longest },
      },
    ] satisfies Row[];
  },
};

interface Project {
  readonly stage: Stage;
  readonly place: Place;
}

/** Returns a project with a key, a signed release, and a gate that asks for what was signed. */
async function prepared(stage: Stage): Promise<Project> {
  const isOld = stage.project.endsWith('old');
  const { stdout } = await stage.must('key', 'new', 'ci', '--json');
  const { pem } = JSON.parse(stdout) as { pem: string };
  stage.configure({
    keys: { ci: { public: pem, signs: ['release', 'verification', 'promotion'] } },
    evidence: ['release'],
  });
  const place = await stage.place('prod', stage.lab.hosts);
  // The log comes first: what is recorded afterwards knows its end.
  if (isOld) writeLog(join(stage.project, '.lockage', 'state', 'audit', 'old'), thousands);
  await stage.release('1.0.0');
  return { stage, place };
}
