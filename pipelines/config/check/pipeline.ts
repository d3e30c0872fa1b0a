import { didYouMean } from '../../text/suggest.ts';
import { orderStages, stagesOf, type Stage } from '../resolve/order.ts';
import type { ProjectFile } from '../schema/files.ts';
import type { Problem } from '../source/problem.ts';
import type { Sources } from '../source/source.ts';

/** Records that belong to the whole project, beside those of its environments. */
const records = ['releases', 'machine-images', 'archives'];
/** Suffixes of the records that an environment's parts have. */
const parts = ['-foundation', '-machines'];

/** Checks that the stages can be put in order, and that the pipeline and the environments' files agree. */
export function checkPipeline(file: ProjectFile, sources: Sources): { stages: Stage[]; problems: Problem[] } {
  const { project } = sources;
  const names = [...sources.environments.keys()];
  const at = (path: Problem['path'], message: string): Problem => ({
    file: project.path,
    line: project.lineOf(path),
    path,
    message,
  });

  const taken = takenNames(sources);
  const [only] = names;
  if (file.pipeline === undefined) {
    // With a single environment there is nothing to put in order.
    if (only !== undefined && names.length === 1) return { stages: [{ name: only, after: [] }], problems: taken };
    const example = names.length === 0 ? 'dev, prod' : names.join(', ');
    return { stages: [], problems: [at(['pipeline'], `is missing: list the environments in order, as [${example}]`)] };
  }

  const written = stagesOf(file.pipeline);
  const { ordered, problems } = orderStages(written);
  const staged = written.map((stage) => stage.name);
  return {
    stages: ordered,
    problems: [
      ...taken,
      ...problems.map(({ index, message }) => at(['pipeline', index], message)),
      ...written.flatMap(({ name }, index) =>
        names.includes(name) || staged.indexOf(name) < index
          ? []
          : [at(['pipeline', index], `has no file environments/${name}.yaml${didYouMean(name, names)}`)],
      ),
      ...[...sources.environments.values()].flatMap((source, index) => {
        const name = names[index] ?? '';
        const message = `is not in the pipeline of lockage.yaml${didYouMean(name, staged)}`;
        return staged.includes(name) ? [] : [{ file: source.path, line: 1, path: [], message }];
      }),
    ],
  };
}

/** Finds environments named like another record of the project: two records of one name would be the same record. */
function takenNames({ environments }: Sources): Problem[] {
  const names = [...environments.keys()];
  const own = names.flatMap((name) => parts.map((part) => `${name}${part}`));
  return [...environments].flatMap(([name, source]) =>
    [...records, ...own].includes(name) || /^evidence-[0-9a-f]{2}$/.test(name)
      ? [
          {
            file: source.path,
            line: 1,
            path: [],
            message: `has a name that Lockage keeps other records under: ${name}`,
          },
        ]
      : [],
  );
}
