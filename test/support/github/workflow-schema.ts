/** GitHub's own parser of workflows, with its schema. It imports JSON in a way that Node.js 20 does not know, so it is bundled. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as WorkflowParser from '@actions/workflow-parser';
import { build } from 'esbuild';

type Parser = typeof WorkflowParser;

let loaded: Promise<Parser> | undefined;

async function load(): Promise<Parser> {
  const folder = await mkdtemp(join(tmpdir(), 'workflow-parser-'));
  const outfile = join(folder, 'parser.mjs');
  try {
    await build({
      ...{ stdin: { contents: `export * from '@actions/workflow-parser';`, resolveDir: import.meta.dirname } },
      ...{ bundle: true, platform: 'node', format: 'esm', logLevel: 'error', outfile },
    });
    return (await import(pathToFileURL(outfile).href)) as Parser;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Returns what is wrong with a workflow. */
export async function workflowProblems(name: string, content: string): Promise<string[]> {
  const { parseWorkflow, NoOperationTraceWriter } = await (loaded ??= load());
  const { context } = parseWorkflow({ name, content }, new NoOperationTraceWriter());
  return context.errors.getErrors().map(String);
}
