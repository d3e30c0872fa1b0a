/** The space on a file system, in bytes. */
export interface Disk {
  readonly free: number;
  readonly total: number;
}

/** The part of a disk that has to be free, and the bytes: images are unpacked before others can be removed. */
const enough = { part: 0.1, bytes: 1e9 };

/** Returns a warning where the disk that holds an engine's data is nearly full; `undefined`: nobody could see it. */
export function diskWarnings(disk: Disk | undefined): string[] {
  if (!disk || (disk.free >= disk.total * enough.part && disk.free >= enough.bytes)) return [];
  const percent = Math.floor((disk.free / Math.max(disk.total, 1)) * 100);
  const free = (disk.free / 1e9).toFixed(1);
  return [`the disk of its engine is nearly full, ${free} GB (${percent} %) are free: \`lockage prune\` makes room`];
}
