import { runInPulumiStack } from '@pulumi/pulumi/runtime/stack.js';
import { MockMonitor } from '@pulumi/pulumi/runtime/mocks.js';
import * as settings from '@pulumi/pulumi/runtime/settings.js';
import * as state from '@pulumi/pulumi/runtime/state.js';
import resources, {
  type RegisterResourceRequest,
  type RegisterResourceResponse,
} from '@pulumi/pulumi/proto/resource_pb.js';
import structs from 'google-protobuf/google/protobuf/struct_pb.js';

declare module '@pulumi/pulumi/runtime/settings.js' {
  // The SDK has it, and its types leave it out.
  export function waitForRPCs(): Promise<void>;
}

declare module '@pulumi/pulumi/runtime/state.js' {
  // The SDK has it, and its types leave it out.
  export function withLocalStorage<T>(work: () => T): T;
}

/** A resource as a program declares it. */
export interface Goal {
  readonly urn: string;
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, unknown>;
  readonly dependencies: readonly string[];
  /** urn and id of its provider */
  readonly provider: string;
  readonly importId: string;
  readonly ignoreChanges: readonly string[];
}

/** A resource as it is recorded once a step has made it what was declared. */
export interface Made {
  readonly id: string;
  readonly outputs: Record<string, unknown>;
}

/** The stack that a program is run for. */
export interface ProgramPlace {
  readonly project: string;
  readonly stack: string;
}

/**
 * Runs a program as Pulumi does: each resource that it declares, once those that it depends on are made, is made by `step`.
 * Resolves when all are; rejects with the first failure of a step, once those under way have ended. Then no further one begins.
 */
export async function runProgram(
  place: ProgramPlace,
  program: () => Promise<void>,
  step: (goal: Goal) => Promise<Made>,
): Promise<void> {
  const monitor = new StepMonitor(place, step);
  const run = async () => {
    settings.setMockOptions(monitor, place.project, place.stack);
    await runInPulumiStack(program);
    await settings.waitForRPCs();
  };
  // Each run has a store of its own: another operator's may be under way.
  const ended = state.withLocalStorage(run);
  await Promise.race([ended, monitor.failed]);
}

type Answer<T> = (error: Error | null, response?: T) => void;

/** What a program speaks to while it runs. */
class StepMonitor extends MockMonitor {
  readonly failed: Promise<never>;
  readonly #place: ProgramPlace;
  readonly #step: (goal: Goal) => Promise<Made>;
  readonly #underWay = new Set<Promise<unknown>>();
  #fail: (error: unknown) => void = () => undefined;
  #hasFailed = false;

  constructor(place: ProgramPlace, step: (goal: Goal) => Promise<Made>) {
    super({ call: async () => ({}), newResource: () => ({ id: undefined, state: {} }) });
    this.#place = place;
    this.#step = step;
    this.failed = new Promise((_, reject) => (this.#fail = reject));
    this.failed.catch(() => undefined);
  }

  override async registerResource(
    request: RegisterResourceRequest,
    answer: Answer<RegisterResourceResponse>,
  ): Promise<void> {
    const goal = this.#goalOf(request);
    const response = new resources.RegisterResourceResponse();
    response.setUrn(goal.urn);
    if (!request.getCustom()) return answer(null, response);
    // Whoever waits for it waits for ever: the program has ended by then.
    if (this.#hasFailed) return;
    const made = this.#step(goal);
    this.#underWay.add(made);
    try {
      const { id, outputs } = await made;
      response.setId(id);
      response.setObject(structs.Struct.fromJavaScript(outputs as never));
      this.#underWay.delete(made);
      answer(null, response);
    } catch (error) {
      this.#hasFailed = true;
      await Promise.allSettled(this.#underWay);
      this.#fail(error);
    }
  }

  override registerResourceOutputs(_request: unknown, answer: Answer<object>): void {
    answer(null, {});
  }

  #goalOf(request: RegisterResourceRequest): Goal {
    const [type, name] = [request.getType(), request.getName()];
    return {
      urn: `urn:pulumi:${this.#place.stack}::${this.#place.project}::${type}::${name}`,
      ...{ type, name },
      inputs: request.getObject()?.toJavaScript() ?? {},
      dependencies: request.getDependenciesList(),
      provider: request.getProvider(),
      importId: request.getImportid(),
      ignoreChanges: request.getIgnorechangesList(),
    };
  }
}
