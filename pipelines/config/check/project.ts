import { mergeEnvironment } from '../resolve/merge.ts';
import type { Stage } from '../resolve/order.ts';
import { resolveEnvironment } from '../resolve/project.ts';
import type { EnvironmentFile, ProjectFile } from '../schema/files.ts';
import type { Problem } from '../source/problem.ts';
import type { Sources } from '../source/source.ts';
import { checkAccessories } from './accessories.ts';
import type { Checked, Report } from './context.ts';
import { Findings } from './findings.ts';
import { checkMigration } from './migration.ts';
import { checkIntegrations } from './integrations.ts';
import { checkPorts } from './ports.ts';
import { checkRegistry } from './registry.ts';
import { checkRoles } from './roles.ts';
import { checkSoak } from './soak.ts';
import { checkTargets } from './targets.ts';
import { checkVerification } from './verification.ts';

/** Finds problems that only show once lockage.yaml and the environments' files are seen together. */
export function checkProject(
  file: ProjectFile,
  environments: ReadonlyMap<string, EnvironmentFile>,
  stages: readonly Stage[],
  sources: Sources,
  root: string,
): Problem[] {
  const findings = new Findings(sources);
  const checked: Checked[] = [];
  const order = new Set([...stages.map((stage) => stage.name), ...environments.keys()]);
  for (const name of order) {
    const own = environments.get(name);
    if (own === undefined) continue;
    const report: Report = (path, message) => findings.add(name, path, message);
    // Without usable targets there are no hosts to check the other rules against.
    if (!checkTargets(name, own, root, report)) continue;
    const stage = stages.find((candidate) => candidate.name === name) ?? { name, after: [] };
    const written = mergeEnvironment(file, own);
    checked.push({ app: file.app, file, own, written, resolved: resolveEnvironment(file, stage, own, root), report });
  }
  for (const environment of checked) {
    checkRoles(environment);
    checkMigration(environment);
    checkAccessories(environment);
    checkRegistry(environment);
    checkSoak(environment);
    checkVerification(environment);
    checkIntegrations(environment, [...order]);
  }
  checkPorts(checked);
  return findings.problems(checked.map(({ resolved }) => resolved.name));
}
