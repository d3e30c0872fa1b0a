/** Returns a text that is no longer than that many characters (UTF-16 units, and no half of one): `…` stands for what is left out. */
export function shortened(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** Returns the end of a text in the same way. */
export function endOf(text: string, longest: number): string {
  return text.length <= longest ? text : `…${text.slice(1 - longest).replace(/^[\udc00-\udfff]/, '')}`;
}
