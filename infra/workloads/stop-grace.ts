/** Milliseconds that containers get to end before they are removed. */
export const stopGrace = 10_000;
