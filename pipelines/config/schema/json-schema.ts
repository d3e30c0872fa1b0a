import * as z from 'zod';
import { environmentFile, projectFile } from './files.ts';

/** Returns JSON Schemas of the two kinds of files, for editors: file name → content. */
export function jsonSchemas(): Record<string, string> {
  return {
    'lockage.schema.json': jsonSchema(projectFile),
    'environment.schema.json': jsonSchema(environmentFile),
  };
}

function jsonSchema(schema: z.ZodType): string {
  return `${JSON.stringify(z.toJSONSchema(schema, { io: 'input', target: 'draft-7', override: allowEmpty }), null, 2)}\n`;
}

/** Allows mappings to be empty, which editors would underline otherwise. */
function allowEmpty({ jsonSchema: node }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (node.propertyNames !== undefined && node.type === 'object') node.type = ['object', 'null'] as never;
}
