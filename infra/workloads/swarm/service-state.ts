import type { ServiceDetails, SwarmTask } from '../../docker/api/types.ts';
import { askedLabel } from './service-spec.ts';

/** The state of a service, compared with its own specification. */
export interface ServiceState {
  /** `running`: all of it, as specified; otherwise the problem: `resting`, `2 of 3 running`, `changed by hand: …` */
  readonly word: string;
  /** the tasks that run, sorted; a restart changes them */
  readonly tasks: readonly string[];
  /** ISO 8601: all of it runs since */
  readonly since?: string;
}

/** Compares a service and its tasks with the specification that the service carries. */
export function serviceState(service: ServiceDetails, all: readonly SwarmTask[]): ServiceState {
  const own = all.filter(({ ServiceID, DesiredState }) => ServiceID === service.ID && DesiredState === 'running');
  const asked = askedOf(service);
  const image = imageOf(asked?.TaskTemplate);
  const running = own.filter(({ Status, Spec }) => Status.State === 'running' && Spec.ContainerSpec?.Image === image);
  const tasks = running.map(({ ID }) => ID).sort();
  const since = running.map(({ Status }) => Status.Timestamp).sort();
  return {
    word: wordOf(service, asked, running.length),
    tasks,
    ...(since.length > 0 ? { since: since.at(-1) ?? '' } : {}),
  };
}

function wordOf(service: ServiceDetails, asked: Asked | undefined, running: number): string {
  const changed = changesByHand(service);
  if (changed.length > 0) return `changed by hand: ${changed.join(', ')}`;
  const wanted = asked?.Mode.Replicated?.Replicas ?? 0;
  const replicas = service.Spec.Mode.Replicated?.Replicas ?? 0;
  if (replicas === 0) return 'resting';
  if (replicas !== wanted) return `scaled by hand from ${wanted} to ${replicas}`;
  return running === wanted ? 'running' : `${running} of ${wanted} running`;
}

/** Returns the names of a service's fields that somebody changed by hand, except the number of containers. */
export function changesByHand(service: ServiceDetails): string[] {
  const asked = askedOf(service);
  if (!asked) return ['what it was asked to be'];
  const { Mode: _, ...rest } = asked;
  return [...differences(rest, service.Spec, ''), ...additions(asked, service.Spec)].map((path) =>
    path.replace(/^TaskTemplate\.(ContainerSpec\.)?/, ''),
  );
}

/** Fields that no service of ours has, and that an engine does not fill in by itself. */
const addable: Readonly<Record<string, readonly string[]>> = {
  'TaskTemplate.ContainerSpec':
    'Configs Dir DNSConfig Groups Hostname Hosts Labels OpenStdin Privileges StopSignal Sysctls TTY'.split(' '),
  'TaskTemplate.Placement': ['MaxReplicas', 'Preferences'],
  'TaskTemplate.Resources': ['Reservations'],
};

/** Returns the paths at which somebody added something that was not asked for. */
function additions(asked: Asked, actual: Asked): string[] {
  return Object.entries(addable).flatMap(([path, fields]) => {
    const [before, now] = [asked, actual].map((spec) => fieldsAt(spec, path));
    return fields
      .filter((field) => isEmpty(before?.[field]) && !isEmpty(now?.[field]))
      .map((each) => `${path}.${each}`);
  });
}

function fieldsAt(spec: unknown, path: string): Readonly<Record<string, unknown>> {
  const [first, ...rest] = path.split('.');
  const fields = (typeof spec === 'object' && spec !== null ? spec : {}) as Readonly<Record<string, unknown>>;
  return first === undefined || first === '' ? fields : fieldsAt(fields[first], rest.join('.'));
}

type Asked = Pick<ServiceDetails['Spec'], 'TaskTemplate' | 'Mode' | 'EndpointSpec'>;

function askedOf({ Spec }: ServiceDetails): Asked | undefined {
  try {
    return JSON.parse(Spec.Labels[askedLabel] ?? '') as Asked;
  } catch {
    return undefined;
  }
}

function imageOf(template: Asked['TaskTemplate'] | undefined): unknown {
  return (template?.['ContainerSpec'] as { Image?: unknown } | undefined)?.Image;
}

/** Returns the paths at which `actual` lacks or changes something of `asked`. An engine leaves out what is empty. */
function differences(asked: unknown, actual: unknown, path: string): string[] {
  if (isEmpty(asked) && isEmpty(actual)) return [];
  if (Array.isArray(asked)) {
    const list: unknown[] = Array.isArray(actual) ? actual : [];
    if (list.length !== asked.length) return [path];
    return asked.some((item, index) => differences(item, list[index], path).length > 0) ? [path] : [];
  }
  if (asked === null || typeof asked !== 'object') return asked === actual ? [] : [path];
  if (actual === null || typeof actual !== 'object') return [path];
  return Object.entries(asked).flatMap(([key, value]) =>
    differences(value, (actual as Record<string, unknown>)[key], path === '' ? key : `${path}.${key}`),
  );
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === false) return true;
  return typeof value === 'object' && Object.values(value).every(isEmpty);
}
