// Set-up of the machine: everything that the command line, the demo and the tests need beyond npm packages.
import { dockerEngineStep } from './engine.ts';
import { imageSteps } from './images/base-images.ts';
import { labPackagesStep } from './packages.ts';
import { dockerPluginStep, pulumiStep } from './pulumi.ts';
import { runSteps, type Output, type Step } from './step.ts';

/** Returns the steps in the order in which they need each other. */
export function machineSteps(): Step[] {
  return [dockerEngineStep(), labPackagesStep(), pulumiStep(), dockerPluginStep(), ...imageSteps()];
}

/**
 * Makes this machine ready and reports it line by line; returns false when a step failed, with the reason in the
 * output.
 */
export async function setUpMachine(output: Output): Promise<boolean> {
  return await runSteps(machineSteps(), output);
}
