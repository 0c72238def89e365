/** Real Chromium on the built page. `SKLENS_URL` and `SKLENS_CHROMIUM` replace the own server and /usr/bin/chromium. */
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { serve } from './server';

/** `webgpu`: WebGPU on Chromium's software adapter. `none`: no WebGPU at all. */
export type Gpu = 'webgpu' | 'none';

const common = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const flags: Record<Gpu, string[]> = {
  // SwiftShader compiles the zeroing of workgroup memory into a store for each number: ten times the rest of a kernel.
  webgpu: ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-dawn-features=disable_workgroup_init'],
  none: ['--disable-features=WebGPU,WebGPUService', '--disable-blink-features=WebGPU', '--disable-gpu'],
};

/** A camera that Chromium plays, and that it lets every page have. */
export const CAMERA = ['--use-fake-device-for-media-stream=fps=30', '--use-fake-ui-for-media-stream'];

/** A browser with the page's address. */
export interface Site {
  browser: Browser;
  url: string;
  close(): Promise<void>;
}

/** Starts a server, unless one is given, and a browser with further `flags`. */
export async function openSite(gpu: Gpu, further: readonly string[] = []): Promise<Site> {
  const own = process.env.SKLENS_URL ? undefined : await serve();
  const browser = await chromium.launch({
    executablePath: process.env.SKLENS_CHROMIUM ?? '/usr/bin/chromium',
    args: [...common, ...flags[gpu], ...further],
  });
  return {
    browser,
    url: process.env.SKLENS_URL ?? (own as { url: string }).url,
    close: async () => {
      await browser.close();
      own?.server.close();
    },
  };
}

/** A visit: the page, and everything that went wrong on it so far. */
export interface Visit {
  page: Page;
  problems: string[];
}

/** Opens the page, once `before` has made it ready; console errors, uncaught errors and requests to other origins are collected. */
export async function visit(
  site: Site,
  options: BrowserContextOptions = {},
  before: (page: Page) => Promise<unknown> = async () => undefined,
): Promise<Visit> {
  const page = await site.browser.newPage({ viewport: { width: 1440, height: 900 }, ...options });
  await before(page);
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(`uncaught: ${error.message}`));
  page.on('console', (message) => message.type() === 'error' && problems.push(`console: ${message.text()}`));
  page.on('request', (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol.startsWith('http') && origin !== new URL(site.url).origin) problems.push(`request: ${request.url()}`);
  });
  // While a software adapter compiles shaders, a loaded machine may take long to answer.
  await page.goto(site.url, { timeout: 120_000 }).catch((cause: Error) => {
    throw new Error(`The page did not open. ${problems.join('; ')} ${cause.message}`, { cause });
  });
  return { page, problems };
}
