import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BrowserContext, Page } from 'playwright-core';
import { openSite, type Site } from './browser';
import { randomWeights } from './checkpoint';
import { settled } from './explorer';
import { publish, type Publisher } from './publisher';

declare global {
  interface Window {
    /** What the page's policy refused: directive and origin. */
    refused?: string[];
  }
}

const MEBI = 1 << 20;

describe('weights from a publisher', () => {
  let site: Site;
  let context: BrowserContext;
  let page: Page;
  let publisher: Publisher;

  beforeAll(async () => {
    site = await openSite('none');
    publisher = await publish(await randomWeights('skresnet18'), 10 * MEBI);
  });
  afterAll(async () => {
    publisher.server.close();
    await site.close();
  });
  beforeEach(async () => {
    await context?.close();
    // The page's policy names no local host.
    context = await site.browser.newContext({ viewport: { width: 1440, height: 900 }, bypassCSP: true });
    page = await context.newPage();
    publisher.asked.length = 0;
    await visit('skresnet18');
  });

  async function visit(model: string): Promise<void> {
    await page.goto(`${site.url}?mirror=${encodeURIComponent(publisher.url)}`);
    await settled(page);
    await page.getByRole('button', { name: 'Change the network' }).last().click();
    await page.locator(`dialog input[value=${model}]`).check();
  }
  const alert = () => page.locator('dialog [role=alert] .error').textContent({ timeout: 30_000 });
  const start = () => page.getByRole('button', { name: 'Download', exact: true }).click();
  const goOn = () => page.getByRole('button', { name: 'Go on downloading' }).click();
  const run = () => page.getByRole('button', { name: 'Run with the downloaded weights' });
  const opened = async () => {
    await run().click({ timeout: 60_000 });
    await expect.poll(() => page.locator('dialog').isVisible(), { timeout: 60_000 }).toBe(false);
    await settled(page);
    expect(await page.locator('#engine dd').first().textContent()).toBe('skresnet18');
  };

  test('are used offline after a download that broke off and went on', async () => {
    expect(await page.locator('dialog').textContent()).toContain('Apache-2.0');
    publisher.mood = 'breaks off';
    await start();
    expect(await alert()).toContain('broke off');
    publisher.mood = 'well';
    await goOn();
    await run().waitFor({ timeout: 60_000 });
    const path = '/timm/skresnet18.ra_in1k/resolve/main/model.safetensors';
    // Of the bytes that arrived, those in whole pieces are not asked for again.
    expect(publisher.asked[0]).toBe(path);
    expect(publisher.asked[1]).toMatch(/ bytes=(4194304|8388608)-$/);
    publisher.mood = 'missing';
    await visit('skresnet18');
    await opened();
    expect(publisher.asked).toHaveLength(2);
  });

  test('can be cancelled, go on after a reload, and be deleted', async () => {
    publisher.mood = 'hangs';
    await start();
    await page.getByText(/10\.5 of 4[78]\.\d MB, .* MB\/s, \d+ s left/).waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    expect(await alert()).toContain('cancelled');
    publisher.mood = 'well';
    await visit('skresnet18');
    await goOn();
    await run().waitFor({ timeout: 60_000 });
    expect(publisher.asked[1]).toContain(`bytes=${8 * MEBI}-`);
    await page.getByRole('radio', { name: 'Stored weights' }).check();
    await page.getByText(/4[78]\.\d MB, complete/).waitFor();
    const sha256 = createHash('sha256').update(publisher.file).digest('hex');
    expect(await page.locator('dialog li', { hasText: 'skresnet18.ra_in1k' }).textContent()).toContain(`${sha256}: as it arrived`);
    await page.getByRole('button', { name: 'Delete skresnet18.ra_in1k' }).click();
    await page.getByText('Nothing is stored.').waitFor();
  });

  test('of a host that falls silent are given up in words, and go on where they were', async () => {
    publisher.mood = 'hangs';
    await start();
    await page.getByText(/10\.5 of 4[78]\.\d MB/).waitFor();
    expect(await page.locator('dialog [role=alert] .error').textContent({ timeout: 60_000 })).toMatch(/^Nothing has arrived for 30 s/);
    publisher.mood = 'well';
    await goOn();
    await run().waitFor({ timeout: 60_000 });
    expect(publisher.asked[1]).toContain(`bytes=${8 * MEBI}-`);
  });

  test('of a host that never answers are given up in words', async () => {
    publisher.mood = 'silent';
    await start();
    expect(await page.locator('dialog [role=alert] .error').textContent({ timeout: 60_000 })).toMatch(/^Nothing has arrived for 30 s/);
    publisher.mood = 'well';
    await start();
    await opened();
  });

  test('of another content are refused and deleted', async () => {
    publisher.mood = 'well';
    await page.locator('dialog input[value=resnext50_32x4d]').check();
    await start();
    expect(await alert()).toContain('not the published one');
    expect(await run().count()).toBe(0);
    await page.getByRole('button', { name: 'Download', exact: true }).waitFor();
  });

  test.each([
    ['missing', 'answered 404'],
    ['closed to others', 'does not let pages of other hosts read it'],
  ] as const)('on a host that is %s are reported', async (mood, message) => {
    publisher.mood = mood;
    await start();
    expect(await alert()).toContain(message);
    publisher.mood = 'well';
    await start();
    await opened();
  });
});

describe('under the policy of the page', () => {
  let site: Site;
  let page: Page;
  /** Addresses of other hosts that the browser was about to ask. */
  let asked: string[];
  const CDN = 'https://cas-bridge.xethub.hf.co/xet-bridge-us/skresnet18?X-Amz-Expires=3600';

  beforeAll(async () => {
    site = await openSite('none');
  });
  afterAll(() => site.close());

  /** The dialog's offer, from Hugging Face or `mirror`, of which every file is at `target`. */
  async function offered(target: string, mirror = ''): Promise<void> {
    await page?.close();
    page = await site.browser.newPage();
    asked = [];
    const control = await page.context().newCDPSession(page);
    // Playwright shows no request again after a redirect.
    control.on('Fetch.requestPaused', ({ requestId, request: { url } }) => {
      asked.push(url);
      const header = (name: string, value: string) => ({ name, value });
      const open = header('access-control-allow-origin', '*');
      const answer = url === target || mirror
        ? { responseCode: 200, responseHeaders: [open, header('content-length', '9')], body: Buffer.from('some file').toString('base64') }
        : { responseCode: 302, responseHeaders: [open, header('location', target)] };
      void control.send('Fetch.fulfillRequest', { requestId, ...answer });
    });
    await control.send('Fetch.enable', { patterns: [{ urlPattern: 'https://*' }] });
    await page.goto(site.url + (mirror && `?mirror=${encodeURIComponent(mirror)}`), { timeout: 120_000 });
    await settled(page);
    await page.evaluate(() => {
      window.refused = [];
      document.addEventListener('securitypolicyviolation', ({ blockedURI, effectiveDirective }) => window.refused?.push(`${effectiveDirective} ${new URL(blockedURI).origin}`));
    });
    await page.getByRole('button', { name: 'Change the network' }).last().click();
    await page.locator('dialog input[value=skresnet18]').check();
    await page.getByRole('button', { name: /^(Download|Go on downloading)$/ }).click();
  }

  test('weights come from Hugging Face and the network that it redirects to', async () => {
    await offered(CDN);
    await page.getByRole('button', { name: 'Run with the downloaded weights' }).waitFor({ timeout: 60_000 });
    expect(asked).toEqual(['https://huggingface.co/timm/skresnet18.ra_in1k/resolve/main/model.safetensors', CDN]);
    expect(await page.evaluate(() => window.refused)).toEqual([]);
  });

  test.each([
    ['a redirect to another host', 'https://attacker.example/weights', ''],
    ['another host', '', 'https://attacker.example/'],
    ['a host that the policy once named', '', 'https://github.com/'],
  ])('%s is refused, and the page says so', async (_, target, mirror) => {
    await offered(target, mirror);
    const alert = page.locator('dialog [role=alert] .error');
    await alert.waitFor();
    expect(await alert.textContent()).toContain('no host that this copy of the page may ask');
    // By the page's own policy and by the header's.
    const refused = (await page.evaluate(() => window.refused)) ?? [];
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.every((directive) => directive.startsWith('connect-src https://'))).toBe(true);
    expect(asked.filter((url) => !url.startsWith('https://huggingface.co/'))).toEqual([]);
  });
});
