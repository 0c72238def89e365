/** Which backend to run on; `auto` takes WebGPU on a hardware adapter and the CPU otherwise. */
export type BackendChoice = 'auto' | 'gpu' | 'cpu';

/** How weights are kept in memory; all computing is in f32. */
export type WeightPrecision = 'f32' | 'f16';

/** One branch of an SK unit. */
export interface BranchInfo {
  /** Side of the kernel in taps. */
  kernel: number;
  dilation: number;
  groups: number;
  /** Effective kernel width in pixels of the branch's input: 5 for a 3×3 kernel with dilation 2. */
  size: number;
}

/** One SK unit of a network. */
export interface UnitInfo {
  /** The paper's name, `SK_2_3`: stage, unit; the first stage is 2 for every family. */
  name: string;
  /** The module's path in the weights file, `layer1.2.conv2`. */
  path: string;
  channels: number;
  branches: BranchInfo[];
}

/** What the paper reports of a network; null where it does not. */
export interface Paper {
  /** Top-1 error in percent: ImageNet at 224 px, or CIFAR-10. */
  top1Error: number | null;
  /** Parameters in millions. */
  params: number | null;
  /** Multiply-adds in thousand millions, Select included. */
  gflops: number | null;
}

/** ImageNet accuracy of published weights in percent, as their publisher states it. */
export interface Accuracy {
  weights: string;
  top1: number;
  top5: number;
}

/** A preset. `params` and `macs` are for its `classes` at `inputSize`. */
export interface ModelInfo {
  name: string;
  /** Other names of the same network, which open it as well. */
  aliases: string[];
  params: number;
  /** Multiply-adds of every convolution and linear layer, the attention's included, Select excluded. */
  macs: number;
  /** Multiply-adds of Select, which the paper counts as well. */
  selectMacs: number;
  /** Height, width. */
  inputSize: [number, number];
  /** Number of classes of its data set. */
  classes: number;
  paper: Paper | null;
  accuracy: Accuracy | null;
  /** Empty for networks without SK units. */
  units: UnitInfo[];
}

/** What a session runs. `params` and `macs` are for the loaded weights. */
export interface SessionInfo {
  model: string;
  backend: 'gpu' | 'cpu';
  /** The adapter's or the CPU backend's own description. */
  adapter: string;
  /** One sentence: why this backend runs. */
  reason: string;
  params: number;
  macs: number;
  units: UnitInfo[];
  /** Height, width. */
  inputSize: [number, number];
  /** Number of classes, from the classifier's shape. */
  classes: number;
  /** GPU dispatches of the last run, without the two that crop a photo; 0 before the first and on the CPU. */
  dispatches: number;
  /** Shapes whose kernel a measurement chose, see {@link Session.tune}. */
  tuned: number;
  weightPrecision: WeightPrecision;
  /** Bytes that the weights take, packed for this backend. */
  weightBytes: number;
  /** Side of the crop at zoom 1 as a fraction of the photo's shorter side. */
  cropPct: number;
  /** The weights file's metadata. */
  metadata: Record<string, string>;
}

/** Sizes of a receptive field in pixels of the network's input. */
export interface FieldSizes {
  /** Where every unit up to this one takes its smallest kernel. */
  smallest: number;
  /** Where every unit up to this one takes its largest kernel. */
  largest: number;
  /** Weighted with attention: each unit adds its stride product × (Σ mean aₘ·sizeₘ − 1). */
  expected: number;
}

/** Attention of one SK unit for one input. */
export interface UnitResult {
  name: string;
  path: string;
  /** The attention that Select used, overrides included. Branch-major `[M * C]`: the first C values are branch 0. One value per channel for the whole image. */
  attention: Float32Array;
  /** Mean over channels of the largest branch's attention minus the smallest's; null for a single branch. */
  meanDifference: number | null;
  /** Mean over channels of the sum of attention times effective kernel width. */
  expectedKernel: number;
  /** Theoretical receptive field of the unit's output. */
  receptiveField: FieldSizes;
}

/** A class with its probability. */
export interface Prediction {
  label: string;
  index: number;
  probability: number;
}

/** The values of one tensor of the network. */
export interface TensorValues {
  /** Channels, height, width. */
  shape: [number, number, number];
  data: Float32Array;
}

/** Everything computed for one input at one zoom. */
export interface Result {
  scale: number;
  /** The five most probable classes, best first. */
  top: Prediction[];
  logits: Float32Array;
  units: UnitResult[];
  /** The tensors that were asked for, by name. */
  tensors: Record<string, TensorValues>;
  /** Wall time of the whole call that this result came from. */
  milliseconds: number;
}

/** A ready network input: `data` holds `shape` = [n, 3, height, width] values, already normalised. */
export interface TensorInput {
  data: Float32Array;
  shape: readonly [number, number, number, number];
}

/** What `analyze` takes. Blobs and bitmaps are decoded once and remembered; do not expect a changed one to be re-read. */
export type ImageInput = Blob | ImageBitmap | ImageData | TensorInput;

/**
 * What replaces the attention of an SK unit with M branches of C channels.
 *
 * - `smallest`, `largest`: all attention to the branch with that effective kernel.
 * - `uniform`: 1 / M for every branch.
 * - `swap`: the unit's attention in a run without overrides, smallest and largest branch exchanged.
 * - a number 0…1: this share for the branch with the largest kernel, the rest for the other; M = 2 only.
 * - `{ branch: m }`: all attention to branch m, counted from 0.
 * - a `Float32Array` of M * C values, branch by branch, as in {@link UnitResult.attention}; NaN leaves a value alone.
 * - `{ off: [c, …] }`: 0 for these channels in every branch, which turns the unit's output off there.
 */
export type Override =
  | 'smallest'
  | 'largest'
  | 'uniform'
  | 'swap'
  | number
  | Float32Array
  | { branch: number }
  | { off: readonly number[] };

/**
 * Overrides by the unit's name, `SK_3_4`, or `*` for all units, which counts first. Of several in an array the last
 * counts where they meet.
 */
export type Overrides = Record<string, Override | readonly Override[]>;

/** Options of {@link Session.analyze}. */
export interface AnalyzeOptions {
  /** Zooms, finite, 1…8; one result each, in this order. Default [1]. */
  scales?: readonly number[];
  /** Centre of the crop as fractions of the oriented photo, x right, y down. Default [0.5, 0.5]. */
  center?: readonly [number, number];
  /** Input side, or [height, width], 64…512. Default: the network's. */
  size?: number | readonly [number, number];
  /** Attention to replace in this call. */
  override?: Overrides;
  /** Names of tensors to return, `layer1.0.conv2.paths.1.act`: those of the layers, as in the weights file. */
  tensors?: readonly string[];
  signal?: AbortSignal;
  /** Milliseconds without a sign of life from the worker after which the call is given up. Default: ten minutes. */
  timeout?: number;
}

/** A box in pixels of the network's input, x to the right and y down: x0 ≤ x < x1, y0 ≤ y < y1. */
export interface PixelBox {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

/** The smallest square around a place that holds a share of a heat map's sum. */
export interface EnergySquare {
  share: number;
  /** Side in pixels before cutting, odd. */
  side: number;
  /** The square, cut at the input's edges. */
  bounds: PixelBox;
}

/** What {@link Session.receptiveField} takes. */
export interface ReceptiveFieldOptions {
  image: ImageInput;
  /** Name of the SK unit, `SK_3_4`. */
  unit: string;
  /** The place as fractions of the oriented photo, or of a ready tensor, x right, y down; the crop must show it. */
  position: readonly [number, number];
  /** Zoom, 1…8. Default 1. Like `center` and `size` it does not count for a ready tensor. */
  scale?: number;
  /** Centre of the crop as in {@link AnalyzeOptions}. Default [0.5, 0.5]. */
  center?: readonly [number, number];
  /** Input side, or [height, width], 64…512. Default: the network's. */
  size?: number | readonly [number, number];
  /**
   * Whether the gradient treats attention as a constant, or follows it through softmax, layers and pooling, by which every
   * pixel acts on every place. Default `fixed`.
   */
  attention?: 'fixed' | 'differentiated';
  /** Attention to replace in this call. */
  override?: Overrides;
  signal?: AbortSignal;
  /** As in {@link AnalyzeOptions}. */
  timeout?: number;
}

/** The receptive field of a unit's output at one place. Pixels are those of the network's input: the crop, resized. */
export interface ReceptiveField {
  unit: string;
  /** The pixel at the place, x and y. */
  pixel: [number, number];
  /** The position of the unit's output whose field is centred nearest to it, x and y. */
  cell: [number, number];
  /** What that position can see with its attention given, as if the picture went on beyond its edges. */
  theoretical: PixelBox;
  /** The smallest box around the pixels that exist and can act on it; null if there are none. */
  theoreticalInside: PixelBox | null;
  /** Widths of the theoretical field, and of the one weighted with this picture's attention. */
  sizes: FieldSizes;
  /** Height and width of `map`. */
  shape: [number, number];
  /**
   * The effective field, row by row: Σ over colours of the magnitude of the gradient, with respect to the normalised
   * input, of the sum over channels of the unit's output at the cell, after Select.
   */
  map: Float32Array;
  /** For 50, 90 and 99 % of the map's sum, centred on the pixel; empty if the map is 0. */
  squares: EnergySquare[];
  /** Wall time of the call. */
  milliseconds: number;
}

/** Options of a benchmark. */
export interface BenchmarkOptions {
  /** Input side, or height and width. Default: the network's. */
  size?: number | readonly [number, number];
  /** Pictures at once. Default 1. */
  batch?: number;
  signal?: AbortSignal;
  /** As in {@link AnalyzeOptions}. */
  timeout?: number;
}

/** What a device reaches with the engine's own kernels: the two limits of the roofline model. */
export interface Roofline {
  /** Thousand millions of additions and multiplications per second, in a large product of matrices. */
  gflops: number;
  /** Thousand millions of bytes per second, read and written in a pass over a tensor larger than the caches. */
  gigabytes: number;
}

/** A step of the network, one or several fused layers, and its time. */
export interface LayerTime {
  /** The last tensor that it computes, named as in the weights file. */
  name: string;
  /** Family of the kernel. */
  kernel: string;
  /** Multiply-adds of the whole batch. */
  macs: number;
  /** Bytes of weights, of what it reads and of what it writes, each counted once. */
  bytes: number;
  milliseconds: number;
  /** Time at the roofline. A layer whose tensors stay in caches may take less. */
  rooflineMilliseconds: number;
}

/** A network's times on this device. */
export interface Benchmark {
  /** Height and width of the input. */
  size: [number, number];
  batch: number;
  /** Wall time of a run with upload and read-back. */
  milliseconds: number;
  /** Null where the GPU does not tell time. */
  roofline: Roofline | null;
  /** In order; empty where the GPU does not tell time. */
  layers: LayerTime[];
}

/** Options of tuning. */
export interface TuneOptions extends BenchmarkOptions {
  onProgress?: (progress: Progress) => void;
}

/**
 * Which variants of the kernels a graphics adapter runs fastest, to be kept (it is plain JSON) and given to {@link OpenOptions}
 * again. It counts only for that adapter and this version of the engine.
 */
export interface Tuning {
  adapter: string;
  version: string;
  /** Variants by shape, both in words. */
  choices: Record<string, string>;
}

/**
 * Where opening or tuning stands: `download` and `weights` count bytes, `prepare` counts steps and `measure` rounds; `total` is 0
 * where unknown.
 */
export interface Progress {
  phase: 'download' | 'weights' | 'prepare' | 'measure';
  done: number;
  total: number;
}

/** One of the M branches of a described network. */
export interface BranchDescription {
  /** Side of the kernel, odd. */
  kernel: number;
  /** Default 1. */
  dilation?: number;
  /** Default: the network's. */
  groups?: number;
}

/** What both families of described networks have in common; what is left out is as in the paper. */
interface CommonDescription {
  name?: string;
  /** Blocks per stage. */
  depths?: number[];
  branches?: BranchDescription[];
  /** Reduction ratio of the attention. */
  r?: number;
  /** Least width L of the attention's hidden layer. */
  l?: number;
  /** Or else the plain sum of the branches. */
  attention?: boolean;
  /** Height, width. */
  input_size?: [number, number];
  classes?: number;
}

/** A residual network of bottlenecks with timm's names. */
export interface SkNetDescription extends CommonDescription {
  /** Channels of the first stage's branches; doubles per stage. */
  width?: number;
  /** Channels of the first stage's output; doubles per stage. */
  out_width?: number;
  groups?: number;
  split_input?: boolean;
  ceil_mode?: boolean;
  small_input?: boolean;
}

/** A ShuffleNetV2 with torchvision's names. */
export interface SkShuffleNetDescription extends CommonDescription {
  /** Channels after each stage, even. */
  widths?: number[];
  head?: number;
}

/** A network as `sklens models --describe` reads it. */
export type NetworkDescription = { sknet: SkNetDescription } | { sk_shufflenet_v2: SkShuffleNetDescription };

/** A weights file: safetensors, PyTorch's `.pth` and `.pt`, or a `.caffemodel`; a string is a URL. */
export type WeightsSource = Blob | URL | string;

/** A tensor of a weights file. */
export interface TensorInfo {
  name: string;
  /** `F32`, `F16`, …, as safetensors calls it. */
  dtype: string;
  shape: number[];
}

/** What a weights file holds, and whose weights it is. */
export interface Inspection {
  format: 'safetensors' | 'pytorch' | 'caffe';
  /** Which of the file's sets of weights is read, `state_dict_ema` for example; empty where the file is the set. */
  set: string;
  /** Names without what wrappers put in front; those that no network reads included. */
  tensors: TensorInfo[];
  /** The network to take: the only one that fits, or the most probable of those that do; null where none fits. */
  recognised: string | null;
  /** Every network that fits. They differ in what weights do not show: dilation, padding, preprocessing. */
  candidates: string[];
  /** The network with the fewest mismatches. */
  closest: string;
  /** How the file differs from it, a line per tensor; empty where it fits. */
  mismatches: string[];
  /** What the file says of itself. */
  metadata: Record<string, string>;
}

/** Options of {@link inspect}. */
export interface InspectOptions {
  /** As in {@link AnalyzeOptions}. */
  timeout?: number;
}

/** Options of {@link open}. */
export interface OpenOptions {
  /** A preset's name, see {@link models}, or a description. Default: what `weights` are recognised as. */
  model?: string | NetworkDescription;
  /** Default: the weights bundled with the model. */
  weights?: WeightsSource;
  /** Random weights in place of a file: the network runs, but what it says means nothing. */
  random?: boolean;
  /** Default `auto`. */
  backend?: BackendChoice;
  /**
   * f16 halves the memory of the weights for results that differ by about a thousandth. Default `auto`: f16 on devices with
   * at most 4 GiB, and on phones whose browser does not tell; f32 on others.
   */
  weightPrecision?: WeightPrecision | 'auto';
  /** What {@link Session.tune} returned earlier, on this adapter or others. Default: none, the kernels' defaults. */
  tunings?: readonly Tuning[];
  onProgress?: (progress: Progress) => void;
}

/** The stable codes of {@link SklensError}. */
export type ErrorCode =
  | 'unknown-model'
  | 'bad-option'
  | 'bad-image'
  | 'bad-weights'
  | 'no-weights'
  | 'closed'
  | 'device-lost'
  /** The worker died of this call twice or gave no answer in time; the session starts another for the next call. */
  | 'stopped'
  | 'aborted';
