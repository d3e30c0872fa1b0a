// Set-up of the machine: everything that the command line, the demo and the tests need beyond npm packages.
import { dockerEngineStep } from './engine.ts';
import { imageSteps } from './images/base-images.ts';
import { newerEngineSteps, type NewerEngine } from './newer-engine.ts';
import { labPackagesStep } from './packages.ts';
import { dockerPluginStep, pulumiStep } from './pulumi.ts';
import { runSteps, type Output, type Step } from './step.ts';

/** The choices of a set-up. */
export interface Choices {
  /** an engine for the lab's hosts besides the machine's own; building it takes minutes, so it has to be asked for */
  readonly engine?: NewerEngine;
}

/** Returns the steps in the order in which they need each other. */
export function machineSteps({ engine }: Choices = {}): Step[] {
  const usual = [dockerEngineStep(), labPackagesStep(), pulumiStep(), dockerPluginStep(), ...imageSteps()];
  return engine === undefined ? usual : [...usual, ...newerEngineSteps()];
}

/**
 * Makes this machine ready and reports it line by line; returns false when a step failed, with the reason in the
 * output.
 */
export async function setUpMachine(output: Output, choices: Choices = {}): Promise<boolean> {
  return await runSteps(machineSteps(choices), output);
}
