/** A moment as people read it in a message: `2026-11-21 10:32 UTC`. Text that is no moment stays as it is. */
export function whenText(iso: string): string {
  return Number.isNaN(Date.parse(iso)) ? iso : `${new Date(iso).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
