/** Every sentence of the page. A further language is a further object of the same type. */

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 3, minimumFractionDigits: 3 });
const whole = new Intl.NumberFormat('en');
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 4 });

/** Attention, three decimals. */
export const attention = (value: number): string => number.format(value).replace('-', '−');
/** A difference of attentions, always with its sign. */
export const signed = (value: number): string => (value < 0 ? '' : '+') + attention(value);
/** `1.40×` */
export const times = (zoom: number): string => `${zoom.toFixed(2)}×`;
/** `1.5×`, for the three zooms of the paper. */
export const shortTimes = (zoom: number): string => `${zoom.toFixed(1)}×`;
export const percent = (value: number): string => `${(value * 100).toFixed(value < 0.0995 ? 1 : 0)} %`;

/** The first of a class's comma-separated names. */
export const shortLabel = (label: string): string => label.split(',')[0] ?? label;

/** The first and the last zoom of a sweep. */
type Zooms = readonly [number, number];

export const en = {
  language: 'en',
  name: 'SK Lens',
  lead: (small: string, large: string) =>
    `This network looks at a photo through two kernels, ${small} and ${large}, and decides channel by channel which to trust: zoom in and watch it change its mind.`,

  theme: { label: 'Colours', auto: 'Auto', light: 'Light', dark: 'Dark' },

  photo: {
    heading: 'Move closer',
    open: 'Open a photo',
    hint: 'or drop one anywhere, or paste it',
    crop: (zoom: number, x: number, y: number) =>
      `The part that the network sees: ${times(zoom)}, centre ${percent(x)} from the left, ${percent(y)} from the top. Arrow keys move it, plus and minus zoom.`,
    cropRole: 'crop box',
    zoom: 'Zoom',
    zoomTo: (zoom: number) => `Zoom to ${shortTimes(zoom)}`,
    keys: 'Drag the box to move it. Wheel, + and − zoom.',
    gallery: 'Gallery',
    by: (author: string) => `by ${author}`,
    own: 'Your photo. It stays on this device.',
    drop: 'Drop to analyse',
    alternative: (name: string) => `Your photo ${name}`,
    none: 'Open a photo to begin',
  },

  inputs: {
    heading: 'What the network sees now',
    paper: 'The three zooms of the paper',
    note: (size: string) => `As in section 4.4: the same photo enlarged, each crop resized to ${size} pixels. All charts compare these three.`,
    picture: (zoom: number) => `The crop at ${times(zoom)}`,
    top: (zoom: number) => `Best guesses at ${times(zoom)}`,
    waiting: 'waiting for the network',
  },

  channels: {
    heading: 'Inside one unit',
    unit: 'SK unit',
    stage: (stage: string) => `Stage ${stage}`,
    meaning: (small: string, large: string) =>
      `A channel has one attention value for the whole image, not one per place: its ${small} and ${large} shares add up to 1.`,
    means: 'Means of 16 channels',
    raw: 'Every channel',
    view: 'Show',
    axis: (large: string) => `${large} attention`,
    channel: 'channel',
    chart: (unit: string, large: string) => `Line chart: ${large} attention across the channels of ${unit}, one line per zoom`,
    table: (unit: string) => `${unit} as a table`,
    columns: { channels: 'Channels', channel: 'Channel', now: (zoom: number) => `now, ${times(zoom)}` },
  },

  depth: {
    heading: 'From the first unit to the last',
    axis: (large: string, small: string) => `mean ${large} − ${small}`,
    chart: (large: string, small: string) =>
      `Bar chart: mean ${large} minus ${small} attention of every SK unit at 1.0×, 1.5× and 2.0×, in order of depth, with a line for the present zoom`,
    towards: (kernel: string) => `towards ${kernel}`,
    table: 'All units as a table',
    columns: { unit: 'Unit', now: (zoom: number) => `now, ${times(zoom)}` },
    hint: 'Click a unit to look inside.',
  },

  engine: {
    heading: 'Engine and network',
    runs: (backend: 'gpu' | 'cpu', adapter: string) => `${backend === 'gpu' ? 'GPU' : 'CPU'}: ${adapter}`,
    choose: 'Run on',
    choices: { auto: 'Auto', gpu: 'GPU', cpu: 'CPU' },
    network: 'Network',
    parameters: 'Parameters',
    macs: 'Multiply-adds',
    input: 'Input',
    classes: 'Classes',
    units: 'SK units',
    dispatches: 'Dispatches per run',
    time: 'Last call',
    milliseconds: (value: number) => `${value < 10 ? value.toFixed(1) : whole.format(Math.round(value))} ms`,
    count: (value: number) => whole.format(value),
    compact: (value: number) => compact.format(value),
    pixels: (size: readonly number[]) => size.join(' × '),
    opening: 'Starting the engine',
  },

  progress: {
    download: (done: number, total: number) =>
      `Loading the weights: ${(done / 1e6).toFixed(1)}${total ? ` of ${(total / 1e6).toFixed(1)}` : ''} MB`,
    weights: 'Reading the weights',
    prepare: 'Preparing the network',
    first: 'First look at the photo',
    slow: 'The network is looking',
  },

  status: (zoom: number, label: string, probability: number) => `At ${times(zoom)}: ${label}, ${percent(probability)}.`,

  errors: {
    dismiss: 'Dismiss',
    unreadable: (name: string) => `“${name}” is not a picture that can be read here. JPEG, PNG and WebP always work.`,
    photoKept: 'The previous photo stays.',
    noPhoto: 'There was no picture in that. Drop or paste a JPEG, PNG or WebP file.',
    gallery: 'The gallery could not be loaded; your own photos still work.',
    engine: (choice: string, message: string) => `${choice} could not be started. ${message}`,
    stopped: (message: string) => `${message} It is being started again.`,
    replaced: (cause: string, engine: string) => `${cause.replace(/\.?$/, '.')} It goes on by itself on ${engine}.`,
    noModel: 'No network ships with this copy of the page.',
  },

  legend: {
    heading: 'Zoom',
    now: (zoom: number) => `now, ${times(zoom)}`,
  },

  captions: {
    channelsNow: (unit: string, zoom: number, channels: number, large: string, mean: number, low: number, high: number) =>
      `${unit} at ${times(zoom)}: its ${whole.format(channels)} channels give ${large} a mean attention of ${attention(mean)}, from ${attention(low)} to ${attention(high)}.`,
    channelsRise: (zooms: Zooms, large: string, from: number, to: number, turned: number, channels: number) =>
      `From ${shortTimes(zooms[0])} to ${shortTimes(zooms[1])} the mean rises from ${attention(from)} to ${attention(to)}; ${turned} of ${channels} channels turn towards ${large}.`,
    channelsFall: (zooms: Zooms, small: string, from: number, to: number, turned: number, channels: number) =>
      `From ${shortTimes(zooms[0])} to ${shortTimes(zooms[1])} the mean falls from ${attention(from)} to ${attention(to)}; ${turned} of ${channels} channels turn towards ${small}.`,
    channelsSame: (zooms: Zooms, at: number) => `From ${shortTimes(zooms[0])} to ${shortTimes(zooms[1])} the mean stays at ${attention(at)}.`,
    depthMove: (zooms: Zooms, large: string, rising: number, units: number) =>
      `From ${shortTimes(zooms[0])} to ${shortTimes(zooms[1])}, ${rising} of ${units} units move towards ${large}.`,
    depthMost: (unit: string, change: number) => `${unit} moves most, by ${signed(change)}.`,
    depthNow: (zoom: number, large: string, leaning: number, units: number) =>
      `At ${times(zoom)}, ${leaning} of ${units} lean to ${large}.`,
  },
};

export type Strings = typeof en;
export const t: Strings = en;
