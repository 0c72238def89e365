/** The page in English. A further language is a further object of the same type. */

import { formats } from './formats';

const format = formats({ numbers: 'en', lists: 'en-GB', times: '×', percentGap: ' ' });
const { attention, signed, times, shortTimes, percent, decimals, whole, compact, rounded, list } = format;

/** The first of a class's comma-separated names. */
export const shortLabel = (label: string): string => label.split(',')[0] ?? label;

/** `two kernels, 3×3 and 5×5` */
const counted = (kernels: readonly string[]): string =>
  `${['no', 'one', 'two', 'three', 'four'][kernels.length] ?? kernels.length} ${kernels.length === 1 ? 'kernel' : 'kernels'}, ${list(kernels)}`;

/** `move`, or `moves` of one. */
const agreed = (verb: string, count: number): string => (count === 1 ? `${verb}s` : verb);

/** A photo of the gallery in words. */
export interface Caption {
  title: string;
  alt: string;
}

/** The first and the last zoom of a sweep. */
type Zooms = readonly [number, number];

export const en = {
  format,
  /** Sentences in a row. */
  sentences: (parts: readonly string[]) => parts.join(' '),
  /** Marks around texts that the page puts together; `runIn` follows a heading at the beginning of a line. */
  marks: { stop: '.', comma: ', ', colon: ':', runIn: '.' },
  name: 'SK Lens',
  /** For the install dialog. */
  description: 'See where a Selective Kernel network puts its attention.',
  /** In place of the page until its scripts run. */
  waiting: (command: string) =>
    `SK Lens is loading. If this text stays: opened from a disk the page cannot load its scripts, it needs a server, for example ${command}.`,
  lead: (kernels: readonly string[]) =>
    `This network looks at a photo through ${counted(kernels)}` +
    (kernels.length === 1
      ? ', so there is nothing to choose: its attention is always 1.'
      : ', and decides channel by channel which to trust: zoom in and watch it change its mind.'),

  languages: { label: 'Language', missing: 'That language could not be loaded.' },
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
    /** Titles and descriptions of the gallery's photos, by file; English ones stand beside the photos. */
    captions: {} as Readonly<Record<string, Caption>>,
    by: (author: string) => `by ${author}`,
    own: 'Your photo. It stays on this device.',
    counterexample: 'Counterexample',
    follows: (zooms: Zooms, change: number, rising: number, units: number) =>
      `From ${shortTimes(zooms[0])} to ${shortTimes(zooms[1])}, ${rising} of ${units} units ${agreed('turn', rising)} to the larger kernel; mean change ${signed(change)}.`,
    drop: 'Drop to analyse',
    alternative: (name: string) => `Your photo ${name}`,
    none: 'Open a photo to begin',
  },

  camera: {
    start: 'Camera',
    stop: 'Stop',
    startHint: 'Look through the camera; you are asked first',
    stopHint: 'Stop the camera and keep its last picture',
    asking: 'Asking…',
    view: 'Live from your camera',
    photo: 'from the camera',
    live: (rate: number) => `Live, ${rate < 10 ? decimals(rate, 1) : whole(rate)} analyses per second. Pictures stay on this device.`,
    zooms: 'Stop the camera to compare the three zooms of its last picture.',
    unsupported: 'This browser offers no camera here. Cameras need an https address or localhost, and a current browser.',
    refused: 'The camera was refused. To use it, allow the camera for this page in the browser’s settings and try again.',
    none: 'No camera was found. Connect one and try again, or open a photo.',
    busy: 'The camera could not be started. Another program may be using it.',
  },

  inputs: {
    heading: 'What the network sees now',
    paper: 'The three zooms of the paper',
    note: (size: string) => `As in section 4.4: the same photo enlarged, each crop resized to ${size} pixels. All charts compare these three.`,
    figure: 'Figure 3 of the paper for this photo',
    picture: (zoom: number) => `The crop at ${times(zoom)}`,
    top: (zoom: number) => `Best guesses at ${times(zoom)}`,
    waiting: 'waiting for the network',
    /** What a reader of another language should know of class names. */
    labels: '',
  },

  channels: {
    heading: 'Inside one unit',
    unit: 'SK unit',
    none: 'This network has no Selective Kernel units: there is no attention to show.',
    stage: (stage: string) => `Stage ${stage}`,
    meaning: (kernels: readonly string[]) =>
      kernels.length === 1
        ? `The only kernel, ${list(kernels)}, has all the attention of every channel.`
        : `A channel has its attention for the whole image, not one per place: its ${list(kernels)} shares add up to 1.`,
    means: 'Means of 16 channels',
    raw: 'Every channel',
    view: 'Show',
    axis: (large: string) => `${large} attention`,
    channel: 'channel',
    chart: (unit: string, large: string) => `Line chart: ${large} attention across the channels of ${unit}, one line per zoom`,
    table: (unit: string) => `${unit} as a table`,
    columns: { channels: 'Channels', channel: 'Channel', now: (zoom: number) => `now, ${times(zoom)}` },
  },

  figure3: {
    heading: 'Figure 3 of the paper, for this photo',
    lead: 'Above, the same object at three sizes. Below it, how much one unit trusts its larger kernel, averaged over 16 channels at a time. With the bars, the larger kernel’s mean share minus the smaller one’s in every unit. The paper finds: the larger the object, the more the larger kernel counts.',
    paper: 'The paper',
    axis: (unit: string, large: string) => `${large} attention in ${unit}`,
    chart: (unit: string) => `Figure: the photo at three zooms, attention across the channels of ${unit}, and all units as bars`,
    table: 'All units and channels as a table',
    columns: 'Unit',
    difference: (unit: string, large: string, small: string) => `${unit}, ${large} − ${small}`,
    channels: (unit: string, large: string, first: number, last: number) => `${unit}, ${large}, channels ${first}–${last}`,
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

  reproduce: {
    heading: 'Take it with you',
    lead: 'Predictions and the attention of every unit and channel at each zoom on show, with crop, network, weights and engine; or a program that computes the same in PyTorch.',
    save: 'Save as JSON',
    copy: 'Copy as Python',
    copied: 'Copied',
    note: 'The program needs photo and weights beside it. It prints the network’s own attention, without what you set in What if. JPEG decoders differ a little; attention may by 0.001.',
    convert: (name: string) => `The program reads safetensors: write them with sklens convert from ${name}.`,
    random: 'There is no program for random weights.',
    unknown: (model: string) => `There is no program for ${model}: neither timm nor torchvision has it.`,
  },

  engine: {
    heading: 'Engine and network',
    runs: (backend: 'gpu' | 'cpu', adapter: string) => `${backend === 'gpu' ? 'GPU' : 'CPU'}: ${adapter}`,
    choose: 'Run on',
    choices: { auto: 'Auto', gpu: 'GPU', cpu: 'CPU' },
    keep: 'Keep weights as',
    precisions: { auto: 'Auto', f32: 'f32', f16: 'f16' },
    halves: 'The weights are kept as f16, which takes about half the memory; numbers differ by about a thousandth.',
    kernels: 'Kernels',
    kernelChoices: { standard: 'Standard', tuned: 'Tuned' },
    tuned: (shapes: number) => `The kernels for ${shapes} shapes were measured to be the fastest here.`,
    memory: 'Weights in memory',
    bytes: (bytes: number, precision: 'f32' | 'f16') => `${decimals(bytes / 1e6, 1)} MB, ${precision}`,
    network: 'Network',
    change: 'Change the network',
    random: 'Random weights: attention and predictions mean nothing.',
    ambiguous: (file: string, others: readonly string[]) =>
      `“${file}” also fits ${others.join(', ')}: they differ in what weights do not show, such as dilation.`,
    reconsider: 'Choose another',
    parameters: 'Parameters',
    macs: 'Multiply-adds',
    input: 'Input',
    classes: 'Classes',
    units: 'SK units',
    dispatches: 'Dispatches per run',
    time: 'Last call',
    milliseconds: (value: number) => `${value < 10 ? decimals(value, 1) : whole(value)} ms`,
    count: whole,
    compact,
    pixels: (size: readonly number[]) => size.join(' × '),
    opening: 'Starting the engine',
    trained: 'Trained on',
    epochs: (dataset: string, epochs: string) => `${dataset}, ${epochs} epochs`,
    accuracy: 'Top-1, top-5',
    percentages: (top1: string, top5: string) => `${top1} %, ${top5} %`,
    licence: 'Licence of the weights',
    libraries: 'Licences of the libraries in this page',
    card: 'Model card',
    speed: 'Time every layer',
  },

  speed: {
    chart: 'Roofline',
    measuring: 'Measuring every layer …',
    again: 'Measure again',
    run: (size: readonly number[], milliseconds: number) =>
      `One photo of ${size.join(' × ')} pixels takes ${rounded(milliseconds)} ms.`,
    roofline: (gflops: number, gigabytes: number) =>
      `At its best this device computes ${rounded(gflops)} GFLOP/s, in a product of matrices, and moves ${rounded(gigabytes)} GB/s, in a pass over memory: the line in the chart. Each dot is a layer.`,
    untimed: 'This GPU does not tell how long single layers take; on the CPU they can be timed.',
    sum: (layers: number, milliseconds: number, roofline: number) =>
      `The ${layers} layers take ${rounded(milliseconds)} ms one by one; at the line they would take ${rounded(roofline)} ms.`,
    slowest: (name: string, milliseconds: number) => `The longest is ${name} with ${rounded(milliseconds)} ms.`,
    caches: 'Layers whose numbers stay in caches can lie above the line.',
    xLabel: 'operations per byte',
    yLabel: 'GFLOP/s',
    table: 'Every layer as a table',
    columns: { layer: 'Layer (kernel)', milliseconds: 'ms', gflops: 'GFLOP/s', gigabytes: 'GB/s', share: '% of the roofline' },
    figure: rounded,
  },

  networks: {
    heading: 'Networks',
    close: 'Close',
    parts: { list: 'All', build: 'Build your own', stored: 'Stored weights' },
    part: 'Show',
    search: 'Search',
    searchHint: 'name or group',
    none: 'No network has that in its name.',
    groups: { paper: 'Paper', ablation: 'Ablation', timm: 'timm', baseline: 'Baseline' },
    caption: (count: number) =>
      `${count} networks. Multiply-adds count convolutions and fully connected layers at the input size; the paper counts Select as well.`,
    columns: {
      name: 'Network',
      group: 'Group',
      params: 'Parameters',
      macs: 'Multiply-adds',
      withSelect: 'with Select',
      units: 'SK units',
      paperParams: 'Paper: params',
      paperGflops: 'Paper: GFLOPs',
      paperError: 'Paper: error',
      top1: 'Top-1',
      weights: 'Weights',
    },
    sources: { bundled: 'with the page', download: 'to download', link: 'at the publisher' },
    sortBy: (column: string) => `Sort by ${column}`,
    millions: (value: number) => `${value} M`,
    decimals,
    figures: (params: number, macs: number) => `${whole(params)} parameters, ${compact(macs)} multiply-adds`,
    weights: {
      bundled: 'Weights come with this page.',
      file: 'No weights come with this page: open a weights file, or see it run with random weights.',
    },
    useBundled: 'Run',
    recognise: 'Open a weights file',
    openFile: (network: string) => `Open a weights file as ${network}`,
    useRandom: 'Run with random weights',
    randomNote: 'Random weights show that and how fast the network runs; its attention and predictions mean nothing.',
    pending: (file: string) => `Which network is “${file}” for? Choose it below.`,
    useFile: (file: string, network: string) => `Open “${file}” as ${network}`,
    unknown: (file: string, closest: string, count: number) =>
      `“${file}” fits no network listed here. The closest is ${closest}; ${count === 1 ? 'one tensor differs' : `${count} tensors differ`}:`,
    misfit: 'That could not be opened. The network before still runs.',
    waiting: 'The engine is still starting.',
    opening: 'Opening the network',
    provisional: 'A provisional reading: the paper does not give its branches.',
    build: {
      family: 'Family',
      families: { sknet: 'SKNet (bottlenecks)', sk_shufflenet_v2: 'SK-ShuffleNetV2' },
      depths: 'Units per stage',
      widths: 'Channels after each stage',
      width: 'Branch width of the first stage',
      out_width: 'Output width of the first stage',
      head: 'Channels of the last convolution',
      groups: 'Groups G',
      r: 'Reduction r',
      l: 'Least attention width L',
      classes: 'Classes',
      side: 'Input side in pixels',
      attention: 'Attention (else plain sum)',
      split_input: 'Each branch reads its part of the channels',
      ceil_mode: 'Stem pool of the authors',
      small_input: 'Stem for small pictures',
      branches: 'Branches M',
      branch: (index: number) => `Branch ${index + 1}`,
      kernel: 'kernel',
      dilation: 'dilation',
      own: 'own groups',
      add: 'Add a branch',
      remove: 'Remove',
      run: 'Run with random weights',
      file: 'Run with a weights file',
      export: 'Save as JSON',
      import: 'Open JSON',
      nearest: 'Nearest in the paper',
      yours: 'Yours',
      badFile: (message: string) => `That description is not understood: ${message}`,
    },
  },

  downloads: {
    offer: (repository: string, host: string, megabytes: number) => `${repository} from ${host}, about ${megabytes} MB.`,
    licence: 'Licence:',
    link: (name: string, host: string, megabytes: number) =>
      `${name}, about ${megabytes} MB: ${host} is not known to let pages read its files. Download the file from there, then open it here.`,
    linked: 'To the file',
    start: 'Download',
    resume: 'Go on downloading',
    cancel: 'Cancel',
    useStored: 'Run with the downloaded weights',
    running: (id: string) => `Downloading ${id}`,
    progress: (done: number, total: number | null, speed: number) => {
      const mega = (bytes: number) => decimals(bytes / 1e6, 1);
      const left = total !== null && speed > 0 ? `, ${Math.ceil((total - done) / speed)} s left` : '';
      return `${mega(done)}${total === null ? '' : ` of ${mega(total)}`} MB, ${mega(speed)} MB/s${left}`;
    },
    cancelled: 'The download was cancelled. What arrived is kept.',
    unreachable: (url: string, reason: string) =>
      `${url} could not be reached, does not let pages of other hosts read it, or is no host that this copy of the page may ask (${reason}). A mirror or a file may help.`,
    refused: (url: string, status: number) => `${url} answered ${status}.`,
    brokenOff: 'The connection broke off. What arrived is kept; download again to go on.',
    stalled: (seconds: number) => `Nothing has arrived for ${seconds} s. What arrived before is kept; download again to go on.`,
    wrongFile: 'The file is not the published one: its size or SHA-256 differs. It was deleted.',
    list: 'Weights stored in this browser',
    nothing: 'Nothing is stored.',
    size: (bytes: number) => `${decimals(bytes / 1e6, 1)} MB`,
    whole: 'complete',
    partial: 'unfinished',
    compared: 'the published one.',
    computed: 'as it arrived; compare it with the one that the publisher’s page of this file gives.',
    remove: (id: string) => `Delete ${id}`,
    mirror: 'Download from',
    badMirror: 'That is not an http or https address.',
    mirrorHint:
      'A host laid out as Hugging Face that this copy of the page was built to allow. ?mirror=ADDRESS in the page’s address does the same.',
    unsupported: 'This browser offers no storage for downloads.',
  },

  progress: {
    download: (done: number, total: number) =>
      `Loading the weights: ${decimals(done / 1e6, 1)}${total ? ` of ${decimals(total / 1e6, 1)}` : ''} MB`,
    weights: 'Reading the weights',
    prepare: 'Preparing the network',
    measure: 'Measuring which kernels are the fastest here',
    first: 'First look at the photo',
    slow: 'The network is looking',
  },

  status: (zoom: number, label: string, probability: number) => `At ${times(zoom)}: ${label}, ${percent(probability)}.`,

  errors: {
    dismiss: 'Dismiss',
    unreadable: (name: string) => `“${name}” is not a picture that can be read here. JPEG, PNG and WebP always work.`,
    tooLarge: (name: string, width: number, height: number, megapixels: number) =>
      `“${name}” has ${width} × ${height} pixels, which is too large. Use a picture of at most ${megapixels} megapixels.`,
    photoKept: 'The previous photo stays.',
    noPhoto: 'There was no picture in that. Drop or paste a JPEG, PNG or WebP file.',
    gallery: 'The gallery could not be loaded; your own photos still work.',
    engine: (choice: string, message: string) => `${choice} could not be started. ${message}`,
    stopped: (message: string) => `${message} It is being started again.`,
    replaced: (cause: string, engine: string) => `${cause.replace(/\.?$/, '.')} It goes on by itself on ${engine}.`,
    movedToCpu: (message: string) => `${message.replace(/\.?$/, '.')} The CPU takes over.`,
    noModel: 'No network ships with this copy of the page.',
  },

  views: {
    label: 'Views',
    names: {
      zoom: 'Zoom',
      'figure-3': 'Figure 3',
      network: 'Network',
      field: 'Receptive field',
      'what-if': 'What if',
      stimuli: 'Stimuli',
      collections: 'Collections',
      tour: 'Tour',
    },
    loading: 'Loading this view',
    undo: 'Undo',
    undoHint: 'Back to the photo, zoom and centre before (Ctrl Z)',
    link: 'Copy link',
    copied: 'Copied',
  },

  save: {
    label: 'Save',
    of: (chart: string) => `Save: ${chart}`,
  },

  play: { start: 'Play the zoom', stop: 'Pause' },

  field: {
    heading: 'What one place sees',
    lead: 'Choose a unit and a place. The heat shows how much each pixel moves what the unit puts out there, measured by back-propagation.',
    place: (x: number, y: number) =>
      `The place: ${percent(x)} from the left, ${percent(y)} from the top of what the network sees. Arrow keys move it.`,
    placeRole: 'place marker',
    hint: 'Click the picture to move the place; with the marker in focus, arrow keys do.',
    gradient: 'Attention in the gradient',
    gradients: { fixed: 'held fixed', differentiated: 'followed' },
    gradientNote: {
      fixed: 'Held fixed: attention counts as given, so only pixels in the theoretical field can act.',
      differentiated:
        'Followed: each pixel also acts through attention, which is pooled over the whole picture; so every pixel can act on every place.',
    },
    chart: (unit: string) => `Heat map over the photo: the receptive field of ${unit} at one place`,
    share: (share: number) => `${Math.round(share * 100)} %`,
    legend: {
      label: 'Lines',
      square: 'holds 50, 90, 99 % of the heat',
      expected: (pixels: number) => `expected from attention, ${Math.round(pixels)} px`,
      theoretical: (pixels: number) => `can see at most, ${pixels} px`,
      beyond: 'reaches beyond the picture',
    },
    modes: { smallest: (kernel: string) => `All ${kernel}`, network: 'As the network decides', largest: (kernel: string) => `All ${kernel}` },
    compare: 'With other attention',
    compareNote: 'The same place with every unit forced to one kernel. The square holds 90 % of the heat.',
    compareChart: (unit: string) => `Three heat maps: the receptive field of ${unit} with the smallest kernels, as the network decides, and with the largest`,
    compared: (network: number, small: string, smallest: number, large: string, largest: number) =>
      `The square that holds 90 % of the heat is ${network} pixels wide as the network decides, ${smallest} with ${small} everywhere and ${largest} with ${large} everywhere.`,
    compareTable: 'Widths with other attention as a table',
    average: 'Averaged over many photos',
    averageTable: 'Mean widths as a table',
    averageLead: 'One photo shows much of itself. The mean over many, each seen at the middle, shows what is the unit’s own; RepLKNet’s script measures effective receptive fields in this way.',
    averageOf: (photos: number, unit: string, zoom: string) => `${unit} at ${zoom}, mean of ${photos === 1 ? 'one photo' : `${whole(photos)} photos`}.`,
    averageChart: (unit: string) => `Three heat maps: the mean receptive field of ${unit} with the smallest kernels, as the network decides, and with the largest`,
    above: (pixels: number) => `Theory goes up to ${whole(pixels)} pixels, beyond the chart.`,
    within: (side: number | null) => (side === null ? 'nothing acts' : `90 % within ${side} px`),
    table: 'Widths as a table',
    columns: { width: 'Width in pixels' },
    rows: { expected: 'expected', theoretical: 'theoretical' },
    map: 'Save the map as CSV',
    zoom: 'The field against the zoom',
    depth: 'The field against depth',
    zoomChart: (unit: string) => `Line chart: width of the receptive field of ${unit} against zoom`,
    depthChart: 'Line chart: width of the receptive field of every unit, in order of depth',
    axis: 'pixels of the input',
    unit: 'unit',
    input: (side: number) => `the input, ${side} px`,
    chartTable: 'This chart as a table',
    chartColumns: { smallest: 'smallest', largest: 'largest', expected: 'expected' },
    chartLegend: { band: 'theory, from smallest to largest kernels', expected: 'expected from attention', side: (mode: string) => `90 % of the heat: ${mode}` },
    measure: (seconds: number) => `Measure (about ${seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : `${Math.round(seconds / 60)} min`})`,
    measuring: (done: number, all: number) => `Measuring: ${done} of ${all}`,
    stop: 'Stop',
    pixels: (value: number) => `${Math.round(value * 10) / 10}`,
  },

  whatIf: {
    heading: 'Take the wheel',
    lead: 'Decide in the network’s place how much each kernel counts, in one unit or in all, and see what it then makes of the photo.',
    scope: 'Replace attention in',
    everyUnit: 'every unit',
    oneUnit: (unit: string) => `${unit} alone`,
    attention: 'Attention',
    network: 'As the network decides',
    all: (kernel: string) => `All ${kernel}`,
    uniform: 'Equal (plain sum)',
    swap: 'Swapped',
    freeze: (zoom: string) => `As at ${zoom}`,
    share: (kernel: string) => `Share of ${kernel}`,
    off: (unit: string, channels: number) => `Channels of ${unit} to turn off (1–${channels})`,
    wrong: (channels: number) => `Write channels as 3, 7-9, from 1 to ${channels}.`,
    undo: 'Undo the setting',
    reset: 'Let the network decide',
    answer: 'What the network answers',
    class: 'Class',
    without: 'by itself',
    with: 'as you set it',
    chart: (large: string, small: string) => `Bar chart: mean ${large} minus ${small} attention of every SK unit, by itself and as you set it`,
  },

  beside: {
    heading: 'Another network beside it',
    lead: 'A second network looks at the same part of the same photo: SKNet against ResNeXt or SENet, two branches against three.',
    choose: 'Network beside',
    bundled: 'Run beside',
    file: 'Run beside, from a weights file',
    random: 'Run beside, with random weights',
    close: 'Close it',
    meaningless: (model: string) => `${model} has random weights: its attention and predictions mean nothing.`,
    guesses: 'Best guesses of both networks',
    chart: (model: string, large: string, small: string) => `Bar chart: mean ${large} minus ${small} attention of every SK unit of ${model}`,
    table: (model: string) => `Units of ${model} as a table`,
  },

  stimuli: {
    heading: 'Neither cat nor camel',
    lead: 'Where neuroscience began: patterns with a size. The pattern takes the photo’s place everywhere on the page; the curves show what every unit does as one of its numbers grows and the others stay.',
    pattern: 'Pattern',
    kinds: { disc: 'Disc', bar: 'Bar', grating: 'Grating' },
    parameters: { size: 'Size', frequency: 'Spatial frequency', contrast: 'Contrast', orientation: 'Orientation' },
    against: 'Curves against',
    value: (parameter: 'size' | 'frequency' | 'contrast' | 'orientation', value: number) =>
      parameter === 'orientation' ? `${value}°` : parameter === 'frequency' ? `${value} periods` : `${Math.round(value * 100)} %`,
    credit: 'A pattern drawn by this page.',
    moves: (parameter: string, from: string, to: string, rising: number, units: number, large: string) =>
      `${parameter} from ${from} to ${to}: ${rising} of ${units} units ${agreed('end', rising)} nearer to ${large} than at the start.`,
  },

  collections: {
    heading: 'One photo is an anecdote',
    lead: 'Let the network look at a whole folder at the three zooms of the paper. Each subfolder is a class. Nothing leaves this device, and the page stays free for other views meanwhile.',
    folder: 'Choose a folder',
    photos: 'Choose photos',
    gallery: 'Take the gallery',
    hint: 'Or drop a folder anywhere on the page. JPEG, PNG and WebP. The centre of each photo is enlarged.',
    progress: 'Photos looked at',
    done: (done: number, all: number) => `${whole(done)} of ${whole(all)} photos`,
    pace: (perSecond: number) => `· ${decimals(perSecond, 1)} a second`,
    left: (seconds: number) =>
      seconds < 90 ? `· about ${Math.ceil(seconds)} s left` : `· about ${whole(Math.ceil(seconds / 60))} min left`,
    pause: 'Pause',
    go: 'Go on',
    again: (model: string) => `Start over with ${model}`,
    stopped: (model: string, why: string) =>
      `This collection was stopped: ${why} The numbers below are those of ${model} up to there.`,
    missing: (count: number) => (count === 1 ? 'One file could not be read' : `${whole(count)} files could not be read`),
    phases: {
      empty: () => '',
      running: (_done: number, all: number) => `Looking at ${whole(all)} photos.`,
      waiting: (done: number, all: number) => `Paused after ${whole(done)} of ${whole(all)} photos.`,
      done: (done: number, _all: number) => `All ${whole(done)} photos are done.`,
      stopped: (done: number, all: number) => `Stopped after ${whole(done)} of ${whole(all)} photos.`,
    },
    spread: 'Every unit over all photos',
    spreadChart: (large: string, small: string) =>
      `Dots: mean ${large} minus ${small} attention of every SK unit over all photos at 1.0×, 1.5× and 2.0×, with bars of one standard deviation`,
    bars: 'bars: ± one standard deviation',
    rises: (photos: number, rising: number, units: number, large: string, most: string, share: number) =>
      `Over ${photos === 1 ? 'one photo' : `${whole(photos)} photos`}, ${rising} of ${units} units ${agreed('move', rising)} towards ${large} on average from 1.0× to 2.0×. ${most} does so most often: for ${percent(share)} of the photos.`,
    classes: (unit: string) => `${unit}, class by class`,
    classesChart: (unit: string, large: string, small: string) =>
      `Dot plot: mean ${large} minus ${small} attention of ${unit} for every class, a square at 1.0× joined to a circle at 1.5×`,
    classesRise: (unit: string, rising: number, classes: number, large: string) =>
      `${unit}: ${rising} of ${classes} classes ${rising === 1 ? 'is' : 'are'} nearer to ${large} at 1.5× than at 1.0×.`,
    classesTable: 'All classes as a table',
    columns: { unit: 'Unit', deviation: '±', rising: 'share that rises', class: 'Class', photos: 'Photos' },
    whole: 'Save everything:',
    rowsFile: 'Every photo as CSV',
    summaryFile: 'Summary as JSON',
  },

  network: {
    heading: 'Through the network',
    lead: (kernels: readonly string[]) =>
      `The photo runs through these SK units from top to bottom. In each it ${kernels.length === 1 ? `meets ${list(kernels)} alone` : `splits into ${list(kernels)} and comes together again`}. Choose a unit to see the numbers inside.`,
    key: 'The thicker a branch, the more attention it has on average.',
    photo: 'Photo ↓',
    classes: (count: number) => `↓ ${whole(count)} classes`,
    inside: (unit: string, zoom: string) => `Inside ${unit} at ${zoom}`,
    oneValue: 'Attention is one value per channel, the same for all positions of the picture.',
    split: 'Split',
    splitText: (branches: number, shape: string) =>
      branches === 1
        ? `One convolution, followed by batch norm and ReLU, gives ${shape} values.`
        : `${branches} convolutions of the same input, each followed by batch norm and ReLU. Each gives ${shape} values.`,
    fuse: 'Fuse',
    fuseText: (places: number, channels: number, hidden: number) =>
      `The branches are added up; each channel’s ${whole(places)} places are averaged to one of ${channels} numbers s; a layer squeezes them to ${hidden} numbers z.`,
    select: 'Select',
    selectText: 'Two layers turn z into a logit per branch and channel; a softmax over the branches makes attention of them, which weighs the branches.',
    cost: (params: number, macs: number) => `${whole(params)} parameters, ${compact(macs)} multiply-adds`,
    channel: (channel: number) => `channel ${channel}`,
    picture: (kernel: string, channel: number) => `${kernel} branch, channel ${channel}`,
    output: (channel: number) => `Output, channel ${channel}`,
    pooled: 'pooled vector s',
    z: 'squeezed vector z',
    place: 'Number',
    zTable: (unit: string) => `z of ${unit} as a table`,
    channelsTable: (unit: string) => `s, logits and shares of every channel of ${unit} as a table`,
    logits: (kernel: string) => `logits ${kernel}`,
    softmax: (kernel: string) => `share ${kernel}`,
    vector: (name: string, count: number, low: number, high: number) =>
      `Bars: ${name}, ${count} values from ${attention(low)} to ${attention(high)}`,
    range: (count: number, low: number, high: number) => `${count}: ${attention(low)} … ${attention(high)}`,
    note: (count: number) =>
      `Shown are the ${count} channels with the largest mean output. Black is zero; all pictures share one scale.`,
  },

  trend: {
    heading: 'Every unit against the zoom',
    chart: (large: string, small: string) =>
      `Small line charts, one per SK unit in order of depth: mean ${large} minus ${small} attention against what varies`,
    table: 'These curves as a table',
    zoomMoves: (rising: number, units: number, large: string) =>
      `From 1× to 3×, ${rising} of ${units} units ${agreed('move', rising)} towards ${large}.`,
    most: (unit: string, from: number, to: number) =>
      `${unit} moves most: from ${signed(from)} to ${signed(to)}.`,
  },

  tour: {
    entry: 'New here? Take the tour',
    steps: 'Steps of the tour',
    of: (step: number, count: number) => `Step ${step} of ${count}`,
    back: 'Back',
    next: 'Next',
    keys: '← and → turn the pages.',
    live: (view: string) => `See it live: ${view}`,
    loading: 'Opening the tour',
    source: (shown: string, runs: string) => `These numbers are those of ${shown}, which comes with the page; ${runs} runs now, and the last step is about it.`,
    photo: 'Photo',
    crop: (title: string, zoom: number) => `${title} as the network sees it at ${times(zoom)}`,
    was: (value: string) => `before: ${value}`,
    bars: (large: string, small: string) => `Mean ${large} minus ${small} attention of every unit, first to last`,
    window: {
      name: 'Window',
      heading: 'A neuron looks through a window',
      text: [
        'A cell of the visual cortex answers to one patch of what the eyes see: its receptive field. That patch is not fixed. The same cell looks wider or narrower depending on what is there.',
        'In most convolutional networks the patch is built in. A Selective Kernel network chooses it for every picture anew. Here is one of its neurons; what moves it is bright.',
      ],
      neuron: 'Neuron of',
      kernels: 'Kernels',
      kinds: { smallest: (small: string) => `Only ${small}`, network: 'The network chooses', largest: (_: string, large: string) => `Only ${large}` },
      picture: (unit: string, kernels: string, side: number) =>
        `What moves one neuron of ${unit}. Kernels: ${kernels}. The square is ${side} pixels wide.`,
      sides: (share: number, unit: string, chosen: number, of: number) =>
        `${percent(share)} of what moves this neuron of ${unit} lies within a square ${chosen} pixels wide; the network sees ${of}.`,
      others: (small: string, least: number, large: string, most: number) =>
        `With ${small} alone it would be ${least} pixels, with ${large} alone ${most}.`,
    },
    kernels: {
      name: 'Kernels',
      heading: 'Two kernels, one picture',
      text: [
        'A kernel is a small grid of weights that slides over a picture. Wherever it stands, it multiplies what it covers by its weights and adds up. The sums make a new picture.',
        'A Selective Kernel unit slides two of them over the same picture:',
      ],
      weights: (weights: number, dilation: number) =>
        dilation > 1 ? `${weights} weights, ${dilation} places apart` : `${weights} weights, side by side`,
      same: (weights: number) => `Both have ${weights} weights, so the wider view costs nothing more.`,
      slide: 'Slide both kernels',
      place: (column: number, row: number) => `column ${column}, row ${row}`,
      input: (unit: string, channel: number) => `Goes into ${unit}, channel ${channel}`,
      output: (kernel: string) => `What ${kernel} makes of it`,
      sums: (column: number, row: number, small: string, a: number, large: string, b: number) =>
        `At column ${column}, row ${row}, ${small} gives ${attention(a)} and ${large} ${attention(b)}, where 1 is white. Sums below zero count as 0.`,
    },
    unit: {
      name: 'Unit',
      heading: 'Split, fuse, select',
      split: (branches: number, channels: number) => `The ${branches} kernels make ${branches} pictures for each of ${channels} channels.`,
      fuse: (places: number, channels: number, hidden: number) =>
        `They are added up. Each channel’s ${whole(places)} places are averaged to one number, and a small layer squeezes these ${channels} numbers to ${hidden}: a summary of the whole picture.`,
      select: 'From the summary the unit computes how much to trust each kernel, channel by channel. These shares add up to 1, weigh the pictures, and the weighted pictures are added.',
      channel: 'Channel',
      share: (large: string) => `Share of ${large}`,
      decided: (channel: number, share: number, large: string) =>
        `The network gave ${large} a share of ${attention(share)} in channel ${channel}. Move the slider to decide otherwise.`,
      set: (share: number, large: string, decided: number) =>
        `You give ${large} a share of ${attention(share)}; the network gave it ${attention(decided)}.`,
      reset: 'As the network decides',
      branch: (kernel: string, share: number) => `${kernel} × ${attention(share)}`,
      sum: 'what goes on',
      pooled: (count: number) => `${count} channel means`,
      squeezed: (count: number) => `squeezed to ${count}`,
    },
    attention: {
      name: 'Attention',
      heading: 'Whom each unit trusts',
      text: [
        'The share is called attention. It is one value per channel, the same for all places of the picture. Its mean over the channels says where a whole unit leans.',
      ],
      number: (large: string, small: string) => `The number beside a bar is the mean share of ${large} minus that of ${small}: 0 is undecided.`,
      lean: (photo: string, large: string, leaning: number, units: number) => `For “${photo}”, ${leaning} of ${units} units ${agreed('lean', leaning)} to ${large}.`,
      ends: (most: string, high: number, least: string, low: number) => `${most} stands highest with ${signed(high)}, ${least} lowest with ${signed(low)}.`,
      channels: (unit: string, large: string, preferring: number, channels: number) =>
        `A mean hides much: inside ${unit}, ${preferring} of ${channels} channels ${agreed('give', preferring)} ${large} the larger share.`,
      spread: (unit: string, low: string, from: number, high: string, to: number) =>
        `Among these photos ${unit} differs most: ${signed(from)} for “${low}”, ${signed(to)} for “${high}”.`,
    },
    zoom: {
      name: 'Zoom',
      heading: 'Move closer',
      text: [
        'If units choose their window by what they look at, a larger object should call for the larger kernel. That is the paper’s test: enlarge the photo and watch the units.',
      ],
      slider: 'Zoom',
      start: 'Zoom in: lines then mark where each unit stood at 1×.',
      moved: (zoom: number, large: string, rising: number, units: number) =>
        `From 1× to ${times(zoom)}, ${rising} of ${units} units ${agreed('move', rising)} towards ${large}.`,
      most: (unit: string, change: number) => `${unit} moves most, by ${signed(change)}.`,
      guess: (label: string, probability: number) => `Best guess: ${shortLabel(label)}, ${percent(probability)}.`,
      guesses: 'Best guesses',
      all: (zoom: number, large: string, following: number, photos: number) =>
        `In ${following} of these ${photos} photos more than half of the units move towards ${large} between 1× and ${shortTimes(zoom)}. One photo may go either way; the paper averages over a whole data set.`,
      card: 'What this network does on average over many photos: its model card',
    },
    own: {
      name: 'Your photo',
      heading: 'Your turn',
      text: [
        'Drop a photo anywhere on this page, paste one, or open one. The network runs on your own machine and the photo stays there.',
      ],
      loading: 'The network is loading. You can choose a photo already.',
      did: (photo: string, zoom: number) => `What the network did with “${photo}” at ${times(zoom)}`,
      didUnnamed: (zoom: number) => `What the network did with your photo at ${times(zoom)}`,
      guess: (label: string, probability: number, classes: number) =>
        `Of the ${whole(classes)} things that it knows, it finds ${shortLabel(label)} most likely: ${percent(probability)}.`,
      unsure: 'It is far from sure: the photo may show something that it has never learned.',
      more: 'Look further',
      views: {
        zoom: 'zoom and move about, every unit against the zoom',
        'figure-3': 'the paper’s figure, drawn from this photo',
        network: 'enter any unit and see its real numbers',
        field: 'which pixels a unit sees from a place of the photo',
        'what-if': 'set the attention yourself and see what changes',
        stimuli: 'discs, bars and gratings in the photo’s place',
        collections: 'the same over a whole folder of photos',
      },
    },
  },

  legend: {
    heading: 'Zoom',
    now: (zoom: number) => `now, ${times(zoom)}`,
  },

  captions: {
    channelsNow: (unit: string, zoom: number, channels: number, large: string, mean: number, low: number, high: number) =>
      `${unit} at ${times(zoom)}: its ${whole(channels)} channels give ${large} a mean attention of ${attention(mean)}, from ${attention(low)} to ${attention(high)}.`,
    channelsRise: (zooms: Zooms, large: string, from: number, to: number, turned: number, channels: number) =>
      `From ${shortTimes(zooms[0])} to ${shortTimes(zooms[1])} the mean rises from ${attention(from)} to ${attention(to)}; ${turned} of ${channels} channels ${agreed('turn', turned)} towards ${large}.`,
    channelsFall: (zooms: Zooms, large: string, from: number, to: number, turned: number, channels: number) =>
      `From ${shortTimes(zooms[0])} to ${shortTimes(zooms[1])} the mean falls from ${attention(from)} to ${attention(to)}; ${turned} of ${channels} channels ${agreed('turn', turned)} away from ${large}.`,
    channelsSame: (zooms: Zooms, at: number) => `From ${shortTimes(zooms[0])} to ${shortTimes(zooms[1])} the mean stays at ${attention(at)}.`,
    depthMove: (zooms: Zooms, large: string, rising: number, units: number) =>
      `From ${shortTimes(zooms[0])} to ${shortTimes(zooms[1])}, ${rising} of ${units} units ${agreed('move', rising)} towards ${large}.`,
    depthMost: (unit: string, change: number) => `${unit} moves most, by ${signed(change)}.`,
    whatIfNothing: 'Nothing is replaced: both sides are what the network does by itself.',
    whatIfUnits: (units: number) => (units === 1 ? 'With one unit replaced,' : `With ${units} units replaced,`),
    whatIfSame: (label: string, from: number, to: number) =>
      `the best guess stays ${shortLabel(label)}, at ${percent(to)} instead of ${percent(from)}.`,
    whatIfOther: (from: string, was: number, to: string, is: number) =>
      `the best guess is ${shortLabel(to)} (${percent(is)}) instead of ${shortLabel(from)} (${percent(was)}).`,
    whatIfField: (unit: string, from: number, to: number) =>
      `The field that ${unit} expects to see is ${Math.round(to)} pixels wide instead of ${Math.round(from)}.`,
    field: (unit: string, zoom: number, x: number, y: number, input: number, half: number, most: number, nearly: number) =>
      `${unit} at ${times(zoom)}, ${percent(x)} from the left and ${percent(y)} from the top: half of what moves its output lies within ${half} of the input’s ${input} pixels, 90 % within ${most}, 99 % within ${nearly}.`,
    fieldNothing: (unit: string) => `Nothing in the picture moves the output of ${unit} at this place.`,
    fieldTheory: (large: string, largest: number, small: string, smallest: number, expected: number) =>
      `With ${large} everywhere it could see ${largest} pixels, with ${small} ${smallest}; this photo’s attention makes ${Math.round(expected)} of it.`,
    fieldAgainst: (from: string, to: string, first: number, last: number) =>
      `From ${from} to ${to} the square that holds 90 % goes from ${first} to ${last} pixels.`,
    fieldForced: (at: string, small: string, smallest: number, large: string, largest: number) =>
      `At ${at} it would be ${smallest} with ${small} everywhere and ${largest} with ${large}.`,
    depthNow: (zoom: number, large: string, leaning: number, units: number) =>
      `At ${times(zoom)}, ${leaning} of ${units} ${agreed('lean', leaning)} to ${large}.`,
  },
};

export type Strings = typeof en;
