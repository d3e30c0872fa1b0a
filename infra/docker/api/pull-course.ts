import type { PullProgress } from './types.ts';

/** A message of an engine about a layer during a pull. */
export interface LayerMessage {
  readonly id?: string | undefined;
  readonly status?: string | undefined;
  readonly progressDetail?: { readonly current?: number; readonly total?: number; readonly units?: string };
}

interface Layer {
  /** what was said of it, so that saying it again is no news */
  readonly said: Set<string>;
  /** of its status, by which a pull counts that goes on: bytes, or seconds of unpacking */
  current: number;
  downloaded: number;
  total: number;
  isThere: boolean;
}

/** An image has 127 at the most; an engine that speaks of more and more must not fill the memory. */
const mostLayers = 4096;
/** Seconds that a layer may be unpacked by an engine that tells the time it takes, and not how far it is. */
const longestUnpacking = 3600;
/** Different things that are said of a layer: engines have eight of them today. */
const mostSteps = 16;
/** What is said of the image, and what is no step ahead. */
const noStep = /^(?:Pulling from|Retrying)/;

/**
 * The course of a pull, by what its engine says of the layers. It goes on while one of them gets further: an engine also
 * talks while nothing comes, and repeats what it said or says that it tries again.
 */
export class PullCourse {
  readonly #layers = new Map<string, Layer>();

  /** The bytes downloaded so far, those of each layer once. */
  get bytes(): number {
    return [...this.#layers.values()].reduce((sum, { downloaded }) => sum + downloaded, 0);
  }

  /** Takes a message, and returns the progress of its layer; undefined where that got no further. */
  take({ id, status, progressDetail: { current, total, units } = {} }: LayerMessage): PullProgress | undefined {
    if (id === undefined || status === undefined || noStep.test(status)) return undefined;
    const layer = this.#layer(id);
    if (!layer) return undefined;
    const isNew = !layer.said.has(status) && layer.said.size < mostSteps;
    if (isNew) layer.said.add(status);
    const at = current ?? 0;
    // One that begins again from nothing is slow, not dead: engines try again a few times only.
    const isFurther = at > (isNew ? 0 : layer.current) && !(units === 's' && at > longestUnpacking);
    layer.current = at;
    note(layer, status, at, total ?? 0);
    return isNew || isFurther ? { layer: id, status, current, total } : undefined;
  }

  /** Returns how far it got: `2 of 5 layers are there, 1200 of 4800 bytes downloaded`. */
  text(): string {
    const layers = [...this.#layers.values()];
    const there = layers.filter(({ isThere }) => isThere).length;
    const total = layers.reduce((sum, layer) => sum + Math.max(layer.total, layer.downloaded), 0);
    const downloaded = total === 0 ? 'nothing downloaded' : `${this.bytes} of ${total} bytes downloaded`;
    return `${there} of ${layers.length} layers are there, ${downloaded}`;
  }

  #layer(id: string): Layer | undefined {
    const found = this.#layers.get(id);
    if (found || this.#layers.size >= mostLayers) return found;
    const made = { said: new Set<string>(), current: 0, downloaded: 0, total: 0, isThere: false };
    this.#layers.set(id, made);
    return made;
  }
}

function note(layer: Layer, status: string, current: number, total: number): void {
  if (status === 'Downloading') {
    layer.downloaded = Math.max(layer.downloaded, current);
    layer.total = total;
  }
  // Progress is reported only a few times a second, so the last report may come long before the layer's end.
  if (status === 'Download complete') layer.downloaded = Math.max(layer.downloaded, layer.total);
  if (/^(?:Download complete|Pull complete|Already exists)$/.test(status)) layer.isThere = true;
}
