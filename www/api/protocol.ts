/** The messages between a session and its worker. The session sends one request at a time. */
import type { RunOptions } from './override.js';
import type {
  AnalyzeOptions,
  BackendChoice,
  Benchmark,
  ErrorCode,
  Inspection,
  ModelInfo,
  Progress,
  ReceptiveField,
  Result,
  SessionInfo,
  TensorInput,
  Tuning,
  WeightPrecision,
} from './types.js';

/** A photo in a message: bytes and bitmaps the first time, then only the number under which the worker keeps it. */
export type PhotoSource = Blob | ImageBitmap | ImageData;

export interface OpenRequest {
  type: 'open';
  /** A preset's name, a description in JSON, or null for what the weights are recognised as. */
  model: string | null;
  /** A file, its address, or null for random weights, which need a model. */
  weights: Blob | string | null;
  /** What the file at the address must hash to, in hexadecimal, where that is known. */
  sha256?: string;
  backend: BackendChoice;
  /** How the weights are kept in memory. */
  precision: WeightPrecision;
  /** Which kernels were measured to be the fastest on which adapters. */
  tunings: readonly Tuning[];
}

/** A photo that a request is about, and which others the worker may forget. */
export interface SentPhoto {
  /** Keep the decoded photo under this number; null: do not keep it. */
  photo: number | null;
  /** Absent where the worker keeps `photo` already. */
  source?: PhotoSource;
  /** Numbers of photos to forget first. */
  forget: number[];
}

export interface AnalyzeRequest extends SentPhoto {
  type: 'analyze';
  options: {
    scales: readonly number[];
    center: readonly [number, number];
    size?: NonNullable<AnalyzeOptions['size']>;
  } & RunOptions;
}

export interface TensorRequest {
  type: 'tensor';
  tensor: TensorInput;
  options: RunOptions;
}

/** What a receptive field is asked for, in the engine's form. */
export interface FieldOptions extends Pick<RunOptions, 'override'> {
  unit: string;
  position: readonly [number, number];
  scale: number;
  center: readonly [number, number];
  size?: readonly [number, number];
  attention: 'fixed' | 'differentiated';
}

export interface FieldRequest extends SentPhoto {
  type: 'field';
  options: FieldOptions;
}

export interface TensorFieldRequest {
  type: 'tensor-field';
  tensor: TensorInput;
  options: FieldOptions;
}

/** What a request to measure is about. */
export interface MeasureRequest {
  /** Height and width; the network's where absent. */
  size?: readonly [number, number];
  batch: number;
}

/** Times every layer. */
export interface BenchmarkRequest extends MeasureRequest {
  type: 'benchmark';
}

/** Finds the fastest kernels. */
export interface TuneRequest extends MeasureRequest {
  type: 'tune';
}

export interface DescribeRequest {
  type: 'describe';
  model: string;
}

export interface InspectRequest {
  type: 'inspect';
  /** A file or its address. */
  weights: Blob | string;
}

export type Request =
  | OpenRequest
  | AnalyzeRequest
  | TensorRequest
  | FieldRequest
  | TensorFieldRequest
  | BenchmarkRequest
  | TuneRequest
  | DescribeRequest
  | InspectRequest;

export type Reply =
  | { type: 'progress'; progress: Progress }
  /** `weights`: what was downloaded, for a worker that may have to take over. */
  | { type: 'opened'; info: SessionInfo; weights: Blob }
  /** Another backend or adapter runs now; `cause` says why. */
  | { type: 'engine'; info: SessionInfo; cause: string }
  | { type: 'described'; model: ModelInfo }
  | { type: 'inspected'; inspection: Inspection }
  | { type: 'results'; results: Result[]; dispatches: number }
  | { type: 'field'; field: ReceptiveField; dispatches: number }
  | { type: 'benchmarked'; benchmark: Benchmark }
  | { type: 'tuned'; tuning: Tuning; info: SessionInfo }
  | { type: 'failed'; code: ErrorCode; message: string }
  /** Something threw outside any request: nothing that follows can be trusted. */
  | { type: 'crashed'; message: string };
