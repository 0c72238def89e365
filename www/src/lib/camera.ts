/** The visitor's camera as a source of photos. */
import { t } from '../strings';
import type { Photo } from './photo';

/** Enough for every network at three zooms' worth of detail; larger frames would only take longer to copy. */
const WANTED: MediaStreamConstraints = {
  audio: false,
  video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: 'environment' },
};

/** A camera that runs. It holds one frame, the latest: what nobody takes is never kept. */
export class CameraFeed {
  /** Called when the camera ends by itself, unplugged for example. */
  onended: () => void = () => undefined;
  #closed = false;
  #fresh = false;
  #wake: (() => void) | undefined;

  private constructor(
    private readonly stream: MediaStream,
    readonly video: HTMLVideoElement,
  ) {
    const tick = () => {
      if (this.#closed) return;
      this.#fresh = !document.hidden;
      if (this.#fresh) this.#wake?.();
      video.requestVideoFrameCallback(tick);
    };
    video.requestVideoFrameCallback(tick);
    for (const track of stream.getTracks()) track.addEventListener('ended', () => this.onended());
  }

  /** Asks the visitor for the camera; rejects with a sentence for them. */
  static async open(): Promise<CameraFeed> {
    // Pages without https have no `mediaDevices`.
    if (!navigator.mediaDevices || !HTMLVideoElement.prototype.requestVideoFrameCallback) throw new Error(t.camera.unsupported);
    const stream = await navigator.mediaDevices.getUserMedia(WANTED).catch((error: unknown) => {
      throw new Error(refusal((error as DOMException).name));
    });
    const video = Object.assign(document.createElement('video'), { muted: true, playsInline: true, srcObject: stream });
    video.setAttribute('aria-label', t.camera.view);
    const feed = new CameraFeed(stream, video);
    await video.play().catch(() => {
      feed.close();
      throw new Error(t.camera.busy);
    });
    return feed;
  }

  /** Resolves once there is a frame after the last one waited for, which needs a page on show; or when closed. */
  async next(): Promise<void> {
    while (!this.#closed && !this.#fresh) await new Promise<void>((wake) => (this.#wake = wake));
    this.#fresh = false;
  }

  /** The frame on show. */
  take(): Photo {
    const { videoWidth: width, videoHeight: height } = this.video;
    const image = Object.assign(document.createElement('canvas'), { width, height });
    const context = image.getContext('2d', { willReadFrequently: true });
    if (!context) throw new Error(t.camera.unsupported);
    context.drawImage(this.video, 0, 0);
    return { input: context.getImageData(0, 0, width, height), image, width, height, name: t.camera.photo, entry: null, live: this.video };
  }

  /** Lets the camera go. */
  close(): void {
    this.#closed = true;
    for (const track of this.stream.getTracks()) track.stop();
    this.#wake?.();
  }
}

/** What the visitor can do about an error of `getUserMedia`, by its name. */
export function refusal(name: string): string {
  if (name === 'NotAllowedError' || name === 'SecurityError') return t.camera.refused;
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return t.camera.none;
  return t.camera.busy;
}
