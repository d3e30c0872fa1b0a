import { SecretValues } from '../../infra/context/secret-values.ts';
import { environmentProgram } from '../../infra/programs/release.ts';
import { LockageError } from '../../pipelines/errors.ts';
import { containerSpecs } from '../../pipelines/model/container-spec.ts';
import { withoutCordoned } from '../../pipelines/model/cordons.ts';
import { lastNumber, turnOf } from '../../pipelines/model/fence.ts';
import { canonicalJson } from '../../pipelines/model/fingerprint.ts';
import { currentRevision } from '../../pipelines/model/ledger.ts';
import { environmentNamed } from '../../pipelines/model/pipeline.ts';
import { countsNow, withCounts } from '../../pipelines/model/role-counts.ts';
import { recordedState } from '../../pipelines/planning/recorded-state.ts';
import { openContext } from '../cli/open-context.ts';

/**
 * Declares an environment as it is recorded. Throws LockageError when nothing runs there, or when its configuration has
 * changed since: a change of release or configuration enters an environment by `lockage promote`, through its gates.
 */
export async function recordedProgram(stack: string, folder: string): Promise<void> {
  const context = await openContext({ cwd: folder }, new AbortController().signal);
  const configured = environmentNamed(context.project, stack);
  const record = await context.records.environment(configured.name);
  const environment = withoutCordoned(configured, record.ledger);
  const current = currentRevision(record.ledger);
  if (!current) {
    throw new LockageError(`nothing runs in ${stack} yet, and a release enters it by its gates only`, {
      hint: `Run \`lockage promote VERSION --to ${stack}\`.`,
    });
  }
  const sized = withCounts(environment, countsNow(environment, current.counts));
  const wanted = containerSpecs({
    app: context.project.app,
    environment: sized,
    release: current.release,
    versions: current.secretVersions,
  });
  const plain = ({ name: _, alias: __, ...spec }: (typeof wanted)[number]) => canonicalJson(spec);
  const recorded = new Set(current.containers.map(plain));
  if (wanted.some((spec) => !recorded.has(plain(spec)))) {
    throw new LockageError(`the configuration of ${stack} has changed since revision ${current.number}`, {
      details: ['a plain `pulumi up` would bring the change in past the gates, so it is refused'],
      hint: `Run \`lockage promote ${current.release.version} --to ${stack}\`.`,
    });
  }
  const last = await context.records.lastSwitch(environment.name);
  const operation = last?.operation ?? context.newOperation();
  const place = { app: context.project.app, environment: environment.name };
  const { ledger } = record;
  const holder = last?.turn.operation ?? operation;
  const turn = turnOf({ revision: lastNumber(ledger), operation: holder, ledger, reports: [] });
  await environmentProgram(recordedState(place, record, ledger, { operation, turn }), new SecretValues())();
}
