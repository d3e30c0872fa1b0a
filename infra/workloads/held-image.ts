import { EngineError, type Engine } from '../docker/api/client.ts';
import { digestIn, imageByTag, parseReference } from '../registry/reference.ts';

/**
 * Makes something of an image, by the name under which the host has it: one that came over ssh has a tag, which only shows
 * when the host does not know the other name.
 */
export async function withHeldImage<T>(engine: Engine, image: string, make: (name: string) => Promise<T>): Promise<T> {
  try {
    return await make(image);
  } catch (error) {
    const digest = digestIn(image);
    if (!(error instanceof EngineError) || error.status !== 404 || digest === undefined) throw error;
    const { repository } = parseReference(image);
    const name = imageByTag({ repository, digest });
    if (!(await engine.inspectImage(name))) throw error;
    return make(name);
  }
}
