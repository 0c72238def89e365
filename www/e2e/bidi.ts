/** As much of WebDriver BiDi (https://www.w3.org/TR/webdriver-bidi/) as a visit of the page in Firefox needs. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Answer {
  id?: number;
  type: 'success' | 'error' | 'event';
  result?: unknown;
  method?: string;
  params?: { level?: string; text?: string };
  message?: string;
}

/** A headless Firefox with one tab. */
export class Firefox {
  /** Errors on the console and uncaught ones. */
  readonly problems: string[] = [];
  #last = 0;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #tab = '';

  private constructor(
    private readonly process: ChildProcess,
    private readonly profile: string,
    private readonly socket: WebSocket,
  ) {
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(String(data)) as Answer);
  }

  static async start(executable: string): Promise<Firefox> {
    const profile = await mkdtemp(join(tmpdir(), 'sklens-firefox-'));
    const child = spawn(executable, ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0', 'about:blank'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const socket = new WebSocket(`${await address(child)}/session`);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error('Firefox accepts no connection'));
    });
    const firefox = new Firefox(child, profile, socket);
    await firefox.#send('session.new', { capabilities: {} });
    const { contexts } = (await firefox.#send('browsingContext.getTree', {})) as { contexts: { context: string }[] };
    firefox.#tab = contexts[0]?.context as string;
    await firefox.#send('session.subscribe', { events: ['log.entryAdded'] });
    return firefox;
  }

  /** Opens an address and waits until everything that it names is loaded. */
  async open(url: string): Promise<void> {
    await this.#send('browsingContext.navigate', { context: this.#tab, url, wait: 'complete' });
  }

  /** What `script`, an expression, comes to in the page; promises are awaited, the value passes as JSON. */
  async evaluate<Value>(script: string): Promise<Value> {
    const expression = `Promise.resolve(${script}).then((value) => JSON.stringify(value ?? null))`;
    const { result, exceptionDetails } = (await this.#send('script.evaluate', {
      expression,
      target: { context: this.#tab },
      awaitPromise: true,
    })) as { result: { value: string }; exceptionDetails?: { text: string } };
    if (exceptionDetails) throw new Error(exceptionDetails.text);
    return JSON.parse(result.value) as Value;
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.socket.close();
    this.process.kill();
    await ended;
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }

  #send(method: string, params: object): Promise<unknown> {
    const id = ++this.#last;
    this.socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ type, result, message }) => (type === 'success' ? resolve(result) : reject(new Error(`${method}: ${message}`))));
    });
  }

  #receive(answer: Answer): void {
    if (answer.id !== undefined) {
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    } else if (answer.params?.level === 'error') this.problems.push(answer.params.text ?? '');
  }
}

/** Where a starting Firefox says that it listens. */
function address(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stderr?.on('data', (bytes: Buffer) => {
      said += String(bytes);
      const found = /WebDriver BiDi listening on (ws:\S+)/.exec(said)?.[1];
      if (found) resolve(found);
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`Firefox ended with ${code}: ${said}`)));
  });
}
