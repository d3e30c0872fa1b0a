/**
 * Moves the clock of a Node.js process that imports it before anything else, by the milliseconds of `CLOCK_AHEAD`. Durations
 * stay what they are.
 */
const ahead = Number(process.env['CLOCK_AHEAD']);
const { now } = Date;
const later = () => now() + ahead;

globalThis.Date = new Proxy(Date, {
  construct: (Today, values) => (values.length === 0 ? new Today(later()) : Reflect.construct(Today, values)),
  get: (Today, key) => (key === 'now' ? later : Reflect.get(Today, key)),
});
const { timeOrigin } = performance;
Object.defineProperty(performance, 'timeOrigin', { value: timeOrigin + ahead });
