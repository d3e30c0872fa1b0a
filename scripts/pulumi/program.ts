/** The program that `Pulumi.yaml` runs for a plain `pulumi preview` or `pulumi up -s ENVIRONMENT`. */
import { getStack } from '@pulumi/pulumi';
import { recordedProgram } from './recorded-program.ts';

await recordedProgram(getStack(), process.cwd());
