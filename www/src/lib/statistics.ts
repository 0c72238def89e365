/** The figures of `sklens sweep`: means over photos, and how many photos rise with zoom. */

/** Mean and deviation of a stream of numbers, by Welford's algorithm. */
class Moments {
  count = 0;
  mean = 0;
  #squares = 0;

  add(value: number): void {
    this.count++;
    const before = value - this.mean;
    this.mean += before / this.count;
    this.#squares += before * (value - this.mean);
  }

  /** Of the population that the numbers are a sample of; null for fewer than two. */
  get deviation(): number | null {
    return this.count > 1 ? Math.sqrt(this.#squares / (this.count - 1)) : null;
  }
}

/** One unit over photos; `rise` is from the first zoom to the last. */
export interface Figures {
  /** Of the mean difference, per zoom. */
  mean: number[];
  /** Over photos, per zoom. */
  deviation: (number | null)[];
  rise: number;
  rise_deviation: number | null;
  /** Share of photos whose value is higher at the last zoom than at the first. */
  rising: number;
  /** Share of photos whose value is higher at every zoom than at the one before. */
  monotone: number;
}

/** Photos and their figures by unit. */
export interface Group {
  photos: number;
  figures: Record<string, Figures>;
}

class Unit {
  readonly #zooms: Moments[];
  readonly #rise = new Moments();
  #rising = 0;
  #monotone = 0;

  constructor(zooms: number) {
    this.#zooms = Array.from({ length: zooms }, () => new Moments());
  }

  /** Adds a photo's values, one per zoom. */
  add(values: readonly number[]): void {
    this.#zooms.forEach((moments, zoom) => moments.add(values[zoom] ?? NaN));
    const [first = NaN, last = NaN] = [values[0], values.at(-1)];
    this.#rise.add(last - first);
    if (last > first) this.#rising++;
    if (values.every((value, zoom) => zoom === 0 || value > (values[zoom - 1] ?? NaN))) this.#monotone++;
  }

  get figures(): Figures {
    const { count, mean, deviation } = this.#rise;
    return {
      mean: this.#zooms.map((moments) => moments.mean),
      deviation: this.#zooms.map((moments) => moments.deviation),
      rise: mean,
      rise_deviation: deviation,
      rising: this.#rising / count,
      monotone: this.#monotone / count,
    };
  }
}

/** Gathers photos: all of them, and those of each class. */
export class Collector {
  readonly #all: Gathered;
  readonly #classes = new Map<string, Gathered>();

  constructor(
    private readonly units: readonly string[],
    private readonly zooms: number,
  ) {
    this.#all = new Gathered(units, zooms);
  }

  /** Adds a photo: `differences` by zoom and unit, the unit varying fastest. */
  add(name: string | null, differences: Float32Array): void {
    this.#all.add(differences);
    if (name === null) return;
    let group = this.#classes.get(name);
    if (!group) this.#classes.set(name, (group = new Gathered(this.units, this.zooms)));
    group.add(differences);
  }

  get all(): Group {
    return this.#all.group;
  }

  /** By name, in alphabetical order. */
  get classes(): Record<string, Group> {
    return Object.fromEntries([...this.#classes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, { group }]) => [name, group]));
  }
}

class Gathered {
  #photos = 0;
  readonly #units: Unit[];

  constructor(
    private readonly names: readonly string[],
    zooms: number,
  ) {
    this.#units = names.map(() => new Unit(zooms));
  }

  add(differences: Float32Array): void {
    this.#photos++;
    const zooms = differences.length / this.names.length;
    this.#units.forEach((unit, at) =>
      unit.add(Array.from({ length: zooms }, (_, zoom) => differences[zoom * this.names.length + at] ?? NaN)),
    );
  }

  get group(): Group {
    return { photos: this.#photos, figures: Object.fromEntries(this.names.map((name, at) => [name, (this.#units[at] as Unit).figures])) };
  }
}
