/**
 * Returns milliseconds since 1970 as this process counts them from its start: a clock of the computer that is set
 * meanwhile makes no duration negative or wrong.
 */
export function steadyNow(): number {
  return Math.round(performance.timeOrigin + performance.now());
}
