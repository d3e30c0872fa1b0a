/** The days of the week as they are configured; the first is 0 in a `WeekTime`. */
export const dayNames = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

/** A time of the week, in minutes since Monday 00:00; Sunday 24:00 is 10080. */
export type WeekTime = number;

/** A stretch of every week; one that ends before it begins goes on into the next week. */
export interface WeeklySpan {
  readonly from: WeekTime;
  readonly until: WeekTime;
}

/** A time in which no release enters an environment. */
export type FreezeWindow = (
  | {
      readonly kind: 'fixed';
      /** milliseconds since 1970 */
      readonly from: number;
      /** milliseconds since 1970: the first moment after it */
      readonly until: number;
    }
  | { readonly kind: 'weekly'; readonly spans: readonly WeeklySpan[] }
) & {
  /** by its name in the time zone database: `Europe/Berlin` */
  readonly zone: string;
  readonly reason?: string;
};
