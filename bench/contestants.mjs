/** Engines, each in processes of its own, with `open(case)`, `run({ times, batch, side })` and `cpuSeconds()`. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';
import { commandLine, cpuSeconds, family } from './processes.mjs';

const flags = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--enable-unsafe-webgpu',
];

/** An engine in a Chromium of its own. Its CPU time is that of the GPU process, or else of the renderers. */
export class PageContestant {
  constructor(id, label, engine, gpu) {
    Object.assign(this, { id, label, engine, gpu });
  }

  async start({ url, executable, adapter }) {
    this.profile = mkdtempSync(join(tmpdir(), 'sklens-bench-'));
    const args = adapter && this.gpu ? [...flags, `--use-webgpu-adapter=${adapter}`] : flags;
    this.context = await chromium.launchPersistentContext(this.profile, { executablePath: executable, args });
    this.page = await this.context.newPage();
    this.page.setDefaultTimeout(0);
    this.page.on('pageerror', (error) => console.error(`    ${this.label}: ${error.message}`));
    await this.page.goto(`${url}?engine=${this.engine}&gpu=${this.gpu ? 1 : 0}`);
    await this.page.waitForFunction(() => window.contestant, undefined, { timeout: 60_000 });
    this.about = await this.page.evaluate(() => window.contestant.about());
  }

  async open(example) {
    const output = await this.page.evaluate((example) => window.contestant.open(example), example);
    const type = this.gpu ? '--type=gpu-process' : '--type=renderer';
    const browser = family(process.pid).find((pid) => commandLine(pid).includes(this.profile));
    this.pids = family(browser).filter((pid) => commandLine(pid).includes(type));
    return output;
  }

  run(options) {
    return this.page.evaluate((options) => window.contestant.run(options), options);
  }

  cpuSeconds() {
    return cpuSeconds(this.pids);
  }

  async close() {
    await this.context.close();
    rmSync(this.profile, { recursive: true, force: true });
  }
}

/** An engine behind a pipe, one line of JSON for each request and each answer. */
export class ProcessContestant {
  constructor(id, label, command, argumentsOf) {
    Object.assign(this, { id, label, command, argumentsOf });
  }

  async start({ cases }) {
    this.child = spawn(this.command, [...this.argumentsOf, cases], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    this.about = 'native, one thread';
  }

  async #ask(request) {
    this.child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`${this.label} ended without an answer`);
    return JSON.parse(value);
  }

  open(example) {
    return this.#ask({ open: example });
  }

  run(options) {
    return this.#ask({ run: options });
  }

  cpuSeconds() {
    return cpuSeconds([this.child.pid]);
  }

  async close() {
    this.child.stdin.end();
  }
}
