import type { RecordedRevision } from './recorded-revision.ts';
import type { Host } from './target.ts';

/** The ways in which a secret of a reproduction got its value. The value of another environment is none of them. */
export type SecretOrigin = 'file' | 'asked' | 'generated';

/** The time of an environment that goes by itself. */
export interface ReproductionTime {
  /** seconds since 1970, by the clock of its host */
  readonly until: number;
  /** milliseconds that were asked for */
  readonly ttl: number;
}

/** The data that an accessory of a reproduction begins with. */
export type ReproductionData =
  | {
      readonly kind: 'image';
      /** takes the place of its own */
      readonly image: string;
      /** the folder in which the image has them; absent: that of the accessory's volumes */
      readonly at?: string;
      /** names of the variables by which the image says where they are */
      readonly sets: readonly string[];
    }
  | {
      readonly kind: 'file';
      readonly file: string;
      /** hex digits */
      readonly sha256: string;
      /** it has them */
      readonly isRestored?: true;
    };

/** A recorded revision that runs once more, under a name of its own on one engine, and the choices made for it. */
export interface Reproduction {
  /** as an environment */
  readonly name: string;
  readonly of: RecordedRevision;
  readonly host: Host;
  /** public port of the original → public port here */
  readonly ports: Readonly<Record<string, number>>;
  /** role → number of its containers; absent: one */
  readonly counts: Readonly<Record<string, number>>;
  /** the platform of the images, where the engine only emulates it */
  readonly emulates?: string;
  /** the platform of the engine, where the release’s digest has an image for that one as well as for the original’s */
  readonly platform?: string;
  readonly secrets: Readonly<Record<string, SecretOrigin>>;
  /** accessory → the data that it begins with; absent: none */
  readonly data?: Readonly<Record<string, ReproductionData>>;
  /** absent: it stays until it is destroyed */
  readonly time?: ReproductionTime;
}
