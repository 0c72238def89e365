import { CameraFeed } from '../lib/camera';
import { messageOf } from '../lib/message';
import type { Photo } from '../lib/photo';
import { Rate } from '../lib/rate';
import type { Explorer } from '../state.svelte';

type Feed = Pick<CameraFeed, 'onended' | 'next' | 'take' | 'close'>;

/** The visitor's camera in the photo's place: each frame is analysed alone, and those that come meanwhile are dropped. */
export class Camera {
  status: 'off' | 'asking' | 'on' = $state('off');
  /** Analyses per second. */
  rate = $state(0);
  #feed: Feed | undefined;

  /** `open` asks for the camera. */
  constructor(
    private readonly explorer: Explorer,
    private readonly open: () => Promise<Feed> = () => CameraFeed.open(),
  ) {}

  toggle(): void {
    if (this.status === 'on') this.stop();
    else if (this.status === 'off') void this.start();
  }

  /** Asks for the camera and shows it until {@link stop}, or until another photo is shown. */
  async start(): Promise<void> {
    this.status = 'asking';
    this.explorer.error = null;
    let feed: Feed | undefined;
    try {
      feed = await this.open();
      // The page went on while the visitor was asked.
      if (this.status !== 'asking') return feed.close();
      this.#feed = feed;
      feed.onended = () => this.stop();
      this.status = 'on';
      await this.#run(feed);
    } catch (error) {
      this.explorer.error = messageOf(error);
    }
    if (feed === this.#feed) this.stop();
  }

  /** Lets the camera go; the last frame stays as a photo. */
  stop(): void {
    this.#feed?.close();
    this.#feed = undefined;
    this.status = 'off';
    this.rate = 0;
    this.explorer.keepFrame();
  }

  async #run(feed: Feed): Promise<void> {
    const { explorer } = this;
    const rate = new Rate();
    let last: Photo | null = explorer.photo;
    for (;;) {
      await feed.next();
      if (feed !== this.#feed || explorer.photo !== last) return;
      // A view's questions about the last frame come first, or a fast camera would never let them be answered.
      if (explorer.asking > 0) continue;
      const frame = feed.take();
      if (!(await explorer.showFrame(frame))) continue;
      last = frame;
      this.rate = rate.add();
    }
  }
}
