/** Returns text of somebody else as one line: what it is put into may be read by its lines. */
export function oneLine(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '').join(' ');
}
