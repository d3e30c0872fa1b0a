// The first import of every program: an old Node.js ends here, in one line, and not in the middle of what it does not know.
import { oldNode } from './node-version.mjs';

const problem = oldNode(process.versions.node);
if (problem !== undefined) {
  console.error(problem);
  process.exit(2);
}
