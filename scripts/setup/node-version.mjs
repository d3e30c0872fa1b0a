// Plain JavaScript that old versions read, too: what comes after it is not for them.
const oldest = [20, 11];

/**
 * Returns why a version of Node.js is too old, or undefined.
 * @param {string} version as `20.11.0`
 * @returns {string | undefined}
 */
export function oldNode(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldest;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return undefined;
  return `Node.js ${version} is too old: install ${oldest.join('.')} or newer, as from https://nodejs.org`;
}
