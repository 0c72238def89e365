/** Numbers and lists as a language writes them. */

/** What {@link formats} cannot ask the browser for. */
export interface Customs {
  /** Language tag for numbers. */
  numbers: string;
  /** Language tag for lists; British English has no comma before “and”. */
  lists?: string;
  /** What follows a zoom factor. */
  times: string;
  /** What stands between a number and its per cent sign. */
  percentGap: string;
}

export type Formats = ReturnType<typeof formats>;

export function formats({ numbers, lists = numbers, times: sign, percentGap }: Customs) {
  const fixed = (digits: number) =>
    new Intl.NumberFormat(numbers, { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: 'negative' });
  const [none, one, two, three] = [fixed(0), fixed(1), fixed(2), fixed(3)];
  const short = new Intl.NumberFormat(numbers, { notation: 'compact', maximumSignificantDigits: 4 });
  const significant = new Intl.NumberFormat(numbers, { maximumSignificantDigits: 3 });
  const joined = new Intl.ListFormat(lists);
  /** Attention, three decimals. */
  const attention = (value: number): string => three.format(value).replace('-', '−');
  return {
    attention,
    /** A difference of attentions, always with its sign. */
    signed: (value: number): string => (value < 0 ? '' : '+') + attention(value),
    /** `1.40×` */
    times: (zoom: number): string => `${two.format(zoom)}${sign}`,
    /** `1.5×`, for the three zooms of the paper. */
    shortTimes: (zoom: number): string => `${one.format(zoom)}${sign}`,
    percent: (value: number): string => `${(value < 0.0995 ? one : none).format(value * 100)}${percentGap}%`,
    /** A number with so many decimals. */
    decimals: (value: number, digits: number): string => fixed(digits).format(value),
    /** `12,345` */
    whole: (value: number): string => none.format(value),
    /** `12.3M` */
    compact: (value: number): string => short.format(value),
    /** `0.0123`, three digits that count */
    rounded: (value: number): string => significant.format(value),
    /** `3×3 and 5×5` */
    list: (items: readonly string[]): string => joined.format(items),
  };
}
