import { followLogs, readLogs, sourceOf, type LogReader } from '../../../infra/hosts/log-stream.ts';
import { messageOf } from '../../../pipelines/errors.ts';
import { selectServing } from '../../../pipelines/inspection/select-serving.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { colors } from '../../tools/colors.ts';
import { quietEnd } from '../interrupt.ts';
import { maskRecorded } from '../mask-recorded.ts';
import { countOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { prefixer } from '../views/log-prefix.ts';

interface LogsFlags extends Flags {
  readonly env: string;
  readonly role?: string;
  readonly host?: string;
  readonly follow?: boolean;
  readonly tail: string;
}

/** Runs `lockage logs`. */
export async function logsCommand(flags: LogsFlags): Promise<void> {
  const signal = quietEnd();
  const tail = flags.tail === '0' ? 0 : countOf(flags.tail, '-n');
  await runCommand({ ...flags, about: flags.env }, signal, async (context) => {
    const environment = environmentNamed(context.project, flags.env);
    const record = () => context.records.environment(environment.name);
    const selection = { ...(flags.role ? { role: flags.role } : {}), ...(flags.host ? { host: flags.host } : {}) };
    const recorded = await record();
    const sources = selectServing(environment, recorded, selection).map(sourceOf);
    await maskRecorded(context, environment.name, recorded);
    const prefix = prefixer(
      environment.hosts.map(({ name }) => name),
      sources.map(({ role }) => role),
    );
    const reader: LogReader = {
      connections: context.connections,
      app: context.project.app,
      environment,
      selection,
      tail,
      signal,
      record,
      onLine: (source, stream, line) => {
        const { host, role, container } = source;
        if (flags.json) context.terminal.entry({ host: host.name, role, container, stream, line });
        else context.terminal.line(`${prefix(host.name, role)}${line}`);
      },
      onNew: ({ host, role, version, container }) =>
        context.terminal.note(colors.dim(`${host.name}: following ${role} ${version} (${container})`)),
      onTrouble: ({ host, role }, error) =>
        context.terminal.note(colors.dim(`${host.name}: the log of ${role} broke off: ${messageOf(error)}`)),
    };
    await (flags.follow ? followLogs(reader, sources) : readLogs(reader, sources));
  });
}
