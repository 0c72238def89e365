import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import * as sklens from '../api/sklens';
import * as fake from './fake-engine';
import { behaviour as measure } from './fake-measure';
import { bundled as fakeBundled } from './fake-models';
import { LocalWorker } from './local-worker';

const model = 'sk_shufflenet_v2_x1_0';
const photo = (text = 'a photo of a cat') => new Blob([text]);
const codeOf = (promise: Promise<unknown>) => promise.then(() => 'resolved', (error: sklens.SklensError) => error.code);

beforeEach(() => {
  LocalWorker.install();
});
afterEach(() => vi.unstubAllGlobals());

describe('open', () => {
  test('finds the bundled weights, reports bytes and steps, and tells what runs', async () => {
    const phases: string[] = [];
    const session = await sklens.open({ model, onProgress: ({ phase }) => phases.push(phase) });
    expect(phases).toEqual(['download', 'prepare']);
    expect(session.info).toMatchObject({ model, backend: 'cpu', dispatches: 0 });
    session.close();
    expect(LocalWorker.last.terminated).toBe(true);
  });

  test.each([
    ['unknown-model', { model: 'alexnet' }],
    ['no-weights', { model: 'sknet50' }],
    ['bad-option', { model, backend: 'tpu' as never }],
    ['bad-option', { model, weightPrecision: 'f8' as never }],
    ['bad-weights', { model, weights: 'data:nonsense' }],
  ])('rejects with %s', async (code, options) => {
    expect(await codeOf(sklens.open(options))).toBe(code);
  });

  test.each([
    ['f32', { deviceMemory: 8, userAgent: 'Mobile' }],
    ['f16', { deviceMemory: 4, userAgent: 'X11; Linux' }],
    ['f16', { userAgent: 'iPhone; Mobile' }],
    ['f32', { userAgent: 'X11; Linux' }],
  ])('keeps weights as %s on %o unless told otherwise', async (precision, device) => {
    vi.stubGlobal('navigator', device);
    const session = await sklens.open({ model });
    expect(session.info.weightPrecision).toBe(precision);
    const other = precision === 'f16' ? 'f32' : 'f16';
    const chosen = await sklens.open({ model, weightPrecision: other });
    expect(chosen.info.weightPrecision).toBe(other);
    expect(chosen.info.weightBytes / session.info.weightBytes).toBe(other === 'f16' ? 0.5 : 2);
    [session, chosen].forEach((open) => open.close());
  });

  test('refuses shipped weights of which a bit has changed, and says so', async () => {
    const file = fakeBundled[model];
    const { url } = file;
    file.url = new URL('data:application/octet-stream,veights');
    await expect(sklens.open({ model })).rejects.toMatchObject({ code: 'bad-weights', message: expect.stringContaining(file.sha256) });
    expect(fake.behaviour.opened).toEqual([]);
    file.url = url;
    expect(await codeOf(sklens.open({ model }))).toBe('resolved');
  });

  test('a worker that cannot start rejects', async () => {
    const opening = sklens.open({ model });
    LocalWorker.last.onerror?.({ message: '' });
    expect(await codeOf(opening)).toBe('closed');
  });
});

describe('weights of unknown origin', () => {
  test('are inspected in a worker of their own', async () => {
    const found = await sklens.inspect(new Blob([`${model} sknet50`]));
    expect(found).toMatchObject({ recognised: model, candidates: [model, 'sknet50'], mismatches: [] });
    expect(LocalWorker.last.terminated).toBe(true);
    expect(await codeOf(sklens.inspect(new Blob(['damaged'])))).toBe('bad-weights');
    const asking = sklens.inspect(new Blob([model]));
    LocalWorker.last.onerror?.({ message: '' });
    expect(await codeOf(asking)).toBe('closed');
  });

  test('a worker that gives no answer, or one that cannot be read, ends the question', async () => {
    const file = new Blob(['silent']);
    await expect(sklens.inspect(file, { timeout: 80 })).rejects.toMatchObject({ code: 'stopped', message: 'The engine gave no answer for 0.08 s.' });
    expect(LocalWorker.last.terminated).toBe(true);
    const asking = sklens.inspect(file);
    LocalWorker.last.onmessageerror?.();
    expect(await codeOf(asking)).toBe('closed');
    expect(LocalWorker.last.terminated).toBe(true);
    expect(await codeOf(sklens.inspect(file, { timeout: 0 }))).toBe('bad-option');
  });

  test('a file that arrives slowly is waited for', async () => {
    const { fetch } = globalThis;
    vi.stubGlobal('fetch', async (url: string) => {
      if (url.startsWith('data:')) return fetch(url);
      const part = new TextEncoder().encode(`${model} `);
      let parts = 0;
      return new Response(new ReadableStream({ pull: (stream) => new Promise((done) => setTimeout(() => done(parts++ < 12 ? stream.enqueue(part) : stream.close()), 100)) }));
    });
    const found = await sklens.inspect('https://host.example/slow.pth', { timeout: 800 });
    expect(found.recognised).toBe(model);
  });

  test('open as what they are recognised as', async () => {
    const session = await sklens.open({ weights: new Blob([model]) });
    expect(session.info.model).toBe(model);
    expect(await codeOf(sklens.open({ weights: new Blob(['nothing known']) }))).toBe('bad-weights');
    expect(await codeOf(sklens.open({}))).toBe('bad-option');
    expect(await codeOf(sklens.open({ random: true }))).toBe('bad-option');
  });

  test('are read by the module of readers where the engine cannot', async () => {
    const file = new Blob(['foreign sknet50']);
    expect((await sklens.inspect(file)).recognised).toBe('sknet50');
    const session = await sklens.open({ weights: file });
    expect(session.info.model).toBe('sknet50');
  });
});

test('models() is a copy', () => {
  const first = sklens.models();
  (first[0] as sklens.ModelInfo).name = 'changed';
  expect(sklens.models()[0]?.name).toBe(model);
});

describe('analyze', () => {
  test('gives one result per scale, in order, and counts dispatches', async () => {
    const session = await sklens.open({ model, backend: 'gpu' });
    const results = await session.analyze(photo(), { scales: [2, 1, 1.5] });
    expect(results.map(({ scale }) => scale)).toEqual([2, 1, 1.5]);
    expect(results[0]?.units[0]?.attention).toBeInstanceOf(Float32Array);
    expect(session.info.dispatches).toBeGreaterThan(0);
    expect((await session.analyze(photo()))[0]?.scale).toBe(1);
  });

  test('runs calls in order', async () => {
    const session = await sklens.open({ model });
    const order: number[] = [];
    const calls = [3, 1, 2].map((scale) => session.analyze(photo(), { scales: [scale] }).then(() => order.push(scale)));
    await Promise.all(calls);
    expect(order).toEqual([3, 1, 2]);
    expect(fake.behaviour.analysed).toEqual([[3], [1], [2]]);
  });

  test('sends a photo once and keeps the last four', async () => {
    const session = await sklens.open({ model });
    const photos = ['first photo', 'second photo', 'third photo', 'fourth photo', 'fifth photo'].map(photo);
    const sources = () => LocalWorker.sent.filter((request) => request.type === 'analyze' && request.source).length;
    await session.analyze(photos[0] as Blob);
    await session.analyze(photos[0] as Blob, { scales: [2] });
    expect(sources()).toBe(1);
    for (const each of photos) await session.analyze(each);
    expect(sources()).toBe(5);
    expect(fake.behaviour.photosAlive).toBe(4);
    await session.analyze(photos[4] as Blob);
    expect(sources()).toBe(5);
    await session.analyze(photos[0] as Blob);
    expect(sources()).toBe(6);
    expect(fake.behaviour.photosAlive).toBe(4);
  });

  test('a failed first look leaves nothing behind and the session usable', async () => {
    const session = await sklens.open({ model });
    const image = photo();
    expect(await codeOf(session.analyze(new Blob(['x'])))).toBe('bad-image');
    expect(await codeOf(session.analyze(image, { scales: [99] }))).toBe('bad-option');
    expect(fake.behaviour.photosAlive).toBe(0);
    expect(await session.analyze(image)).toHaveLength(1);
  });

  test('takes tensors and refuses misshapen ones', async () => {
    const session = await sklens.open({ model });
    const data = new Float32Array(2 * 3 * 4 * 4);
    expect(await session.analyze({ data, shape: [2, 3, 4, 4] })).toHaveLength(2);
    expect(await codeOf(session.analyze({ data, shape: [1, 3, 4, 4] }))).toBe('bad-image');
    expect(await codeOf(session.analyze('cat.jpg' as never))).toBe('bad-image');
  });

  test('hands overrides and names of tensors over in the engine\'s form', async () => {
    const session = await sklens.open({ model });
    const values = new Float32Array([0.25, NaN]);
    const override: sklens.Overrides = { '*': 'largest', SK_2_1: [0.3, { off: [1, 2] }], SK_2_2: values, SK_2_3: { branch: 1 } };
    const expected = {
      override: { '*': ['largest'], SK_2_1: [{ share: 0.3 }, { off: [1, 2] }], SK_2_2: [{ values }], SK_2_3: [{ branch: 1 }] },
      tensors: ['conv1'],
    };
    await session.analyze(photo(), { override, tensors: ['conv1'] });
    await session.analyze({ data: new Float32Array(48), shape: [1, 3, 4, 4] }, { override, tensors: ['conv1'] });
    await session.analyze(photo());
    expect(fake.behaviour.options).toEqual([expected, expected, {}]);
  });

  test.each([
    [{ override: { SK_2_1: 'biggest' } }, 'SK_2_1'],
    [{ override: { SK_2_1: { branch: -1 } } }, 'SK_2_1'],
    [{ override: { SK_2_1: { off: 3 } } }, 'SK_2_1'],
    [{ override: { SK_2_1: ['swap', null] } }, 'SK_2_1'],
    [{ override: 'largest' }, 'override'],
    [{ tensors: 'conv1' }, 'tensors'],
  ])('refuses %j before anything is sent', async (options, named) => {
    const session = await sklens.open({ model });
    const sent = LocalWorker.sent.length;
    const error = await session.analyze(photo(), options as never).catch((error: unknown) => error);
    expect(error).toMatchObject({ code: 'bad-option', message: expect.stringContaining(named) });
    expect(LocalWorker.sent).toHaveLength(sent);
  });

  test('an abort rejects at once, skips what waits, and leaves the rest', async () => {
    const session = await sklens.open({ model });
    fake.behaviour.delay = 30;
    const first = new AbortController();
    const second = new AbortController();
    const running = session.analyze(photo(), { scales: [1], signal: first.signal });
    const waiting = session.analyze(photo(), { scales: [2], signal: second.signal });
    const last = session.analyze(photo(), { scales: [3] });
    second.abort();
    first.abort();
    expect(await Promise.all([running, waiting].map(codeOf))).toEqual(['aborted', 'aborted']);
    expect((await last)[0]?.scale).toBe(3);
    expect(fake.behaviour.analysed).toEqual([[1], [3]]);
    expect(await codeOf(session.analyze(photo(), { signal: AbortSignal.abort() }))).toBe('aborted');
  });
});

const pause = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));

describe('failure', () => {
  test('close rejects what is pending and what comes later', async () => {
    const session = await sklens.open({ model });
    const calls = [session.analyze(photo()), session.analyze(photo())];
    session.close();
    expect(await Promise.all(calls.map(codeOf))).toEqual(['closed', 'closed']);
    expect(await codeOf(session.analyze(photo()))).toBe('closed');
  });

  test('a worker that dies is replaced: photos are sent again, weights are not fetched again', async () => {
    const session = await sklens.open({ model });
    const causes: string[] = [];
    session.addEventListener('engine', (event) => causes.push((event as sklens.EngineEvent).cause));
    const image = photo();
    const [before] = await session.analyze(image);
    const calls = [session.analyze(image), session.analyze(image, { scales: [2] })];
    const first = LocalWorker.last;
    first.deliver({ type: 'crashed', message: 'unreachable' });
    const [[after], [next]] = (await Promise.all(calls)) as [[sklens.Result], [sklens.Result]];
    expect(first.terminated).toBe(true);
    expect(after.units[0]?.attention).toEqual(before?.units[0]?.attention);
    expect(next.scale).toBe(2);
    expect(causes).toEqual(['The engine stopped: unreachable']);
    const opened = LocalWorker.sent.filter((request) => request.type === 'open');
    expect(opened.map(({ weights }) => weights instanceof Blob)).toEqual([false, true]);
  });

  test('a call that kills two workers is given up, the next one is answered', async () => {
    const session = await sklens.open({ model });
    fake.behaviour.delay = 300;
    const fatal = session.analyze(photo());
    const next = session.analyze(photo(), { scales: [3] });
    for (const round of [1, 2]) {
      const sent = () => LocalWorker.sent.filter((request) => request.type === 'analyze').length;
      await vi.waitFor(() => expect(sent()).toBe(round));
      LocalWorker.last.onerror?.({ message: 'out of memory' });
    }
    await expect(fatal).rejects.toMatchObject({ code: 'stopped', message: expect.stringContaining('out of memory') });
    expect((await next)[0]?.scale).toBe(3);
  });

  test('a worker that dies while it takes over is replaced as well; after three the session closes', async () => {
    const session = await sklens.open({ model });
    const answer = session.analyze(photo());
    for (const _ of [1, 2]) LocalWorker.last.deliver({ type: 'crashed', message: 'unreachable' });
    expect(await answer).toHaveLength(1);
    const last = session.analyze(photo());
    for (const _ of [1, 2, 3, 4]) LocalWorker.last.deliver({ type: 'crashed', message: 'unreachable' });
    expect(await codeOf(last)).toBe('closed');
  });

  test('a call without an answer in time is given up and the next one answered', async () => {
    const session = await sklens.open({ model });
    fake.behaviour.delay = 60_000;
    const late = session.analyze(photo(), { timeout: 50 });
    await expect(late).rejects.toMatchObject({ code: 'stopped', message: 'The engine gave no answer for 0.05 s.' });
    fake.behaviour.delay = 0;
    expect(await session.analyze(photo())).toHaveLength(1);
    expect(await codeOf(session.analyze(photo(), { timeout: NaN }))).toBe('bad-option');
  });

  test('the time of a call stands still while the machine sleeps', async () => {
    const session = await sklens.open({ model });
    fake.behaviour.delay = 60_000;
    const answer = session.analyze(photo(), { timeout: 400 });
    await pause(10);
    // Nothing runs for longer than that.
    const waking = performance.now() + 600;
    while (performance.now() < waking);
    await pause(10);
    LocalWorker.last.deliver({ type: 'results', results: [], dispatches: 0 });
    expect(await answer).toEqual([]);
  });

  test('a lost device is replaced, the call repeated, and the change told', async () => {
    const session = await sklens.open({ model, backend: 'gpu' });
    const engines: string[] = [];
    session.addEventListener('engine', (event) => engines.push((event as sklens.EngineEvent).info.backend));
    fake.behaviour.loseDevice = 1;
    expect(await session.analyze(photo())).toHaveLength(1);
    expect(engines).toEqual(['gpu']);
    fake.behaviour.loseDevice = 2;
    expect(await codeOf(session.analyze(photo()))).toBe('device-lost');
    expect(await session.analyze(photo())).toHaveLength(1);
  });

  test('auto falls back to the CPU when the device is lost twice', async () => {
    const session = await sklens.open({ model });
    fake.behaviour.loseDevice = 2;
    expect(await session.analyze(photo())).toHaveLength(1);
    expect(fake.behaviour.opened).toEqual(['auto', 'auto', 'cpu']);
  });
});

describe('receptiveField', () => {
  test('passes everything on in the engine’s form and returns the map', async () => {
    const session = await sklens.open({ model });
    const image = photo();
    await session.analyze(image);
    const field = await session.receptiveField({ image, unit: 'SK_3_4', position: [0.25, 0.5] });
    expect(field.map).toBeInstanceOf(Float32Array);
    expect(field.map).toHaveLength(field.shape[0] * field.shape[1]);
    expect(field.squares.map(({ share }) => share)).toEqual([0.5, 0.9, 0.99]);
    await session.receptiveField({
      image,
      unit: 'SK_4_3',
      position: [0, 1],
      scale: 2,
      center: [0.1, 0.9],
      size: 96,
      attention: 'differentiated',
      override: { '*': 'largest', SK_2_1: 0.25 },
    });
    expect(fake.behaviour.fields).toEqual([
      { unit: 'SK_3_4', position: [0.25, 0.5], scale: 1, center: [0.5, 0.5], attention: 'fixed' },
      {
        unit: 'SK_4_3',
        position: [0, 1],
        scale: 2,
        center: [0.1, 0.9],
        size: [96, 96],
        attention: 'differentiated',
        override: { '*': ['largest'], SK_2_1: [{ share: 0.25 }] },
      },
    ]);
    // The photo was sent once, with the analysis.
    expect(LocalWorker.sent.filter((request) => 'source' in request && request.source)).toHaveLength(1);
    const tensor = { data: new Float32Array(3 * 64 * 64), shape: [1, 3, 64, 64] } as const;
    expect((await session.receptiveField({ image: tensor, unit: 'SK_3_4', position: [0.5, 0.5] })).unit).toBe('SK_3_4');
    session.close();
  });

  test('rejects what has no meaning and stays usable', async () => {
    const session = await sklens.open({ model });
    const asked = { image: photo(), unit: 'SK_3_4', position: [0.5, 0.5] as const };
    expect(await codeOf(session.receptiveField({ ...asked, unit: 'SK_9_9' }))).toBe('bad-option');
    expect(await codeOf(session.receptiveField({ ...asked, position: 0.5 as never }))).toBe('bad-option');
    expect(await codeOf(session.receptiveField({ ...asked, image: 'photo.jpg' as never }))).toBe('bad-image');
    expect(await codeOf(session.receptiveField({ ...asked, timeout: 0 }))).toBe('bad-option');
    expect(await codeOf(session.receptiveField({ ...asked, signal: AbortSignal.abort() }))).toBe('aborted');
    expect(await codeOf(session.receptiveField(asked))).toBe('resolved');
    session.close();
    expect(await codeOf(session.receptiveField(asked))).toBe('closed');
  });
});

describe('benchmark', () => {
  test('times every layer at the size and batch asked for', async () => {
    const session = await sklens.open({ model });
    const { size, batch, roofline, layers } = await session.benchmark();
    expect({ size, batch }).toEqual({ size: session.info.inputSize, batch: 1 });
    expect(roofline).toEqual({ gflops: 40, gigabytes: 10 });
    expect(layers.map(({ name }) => name)).toEqual(session.info.units.map(({ path }) => path));
    expect(await session.benchmark({ size: 64, batch: 2 })).toMatchObject({ size: [64, 64], batch: 2 });
    expect(await codeOf(session.benchmark({ batch: 0 }))).toBe('bad-option');
    expect(await codeOf(session.benchmark({ signal: AbortSignal.abort() }))).toBe('aborted');
    session.close();
    expect(await codeOf(session.benchmark())).toBe('closed');
  });
});

describe('tuning', () => {
  test('tells how far it is, is used at once and when the worker starts again', async () => {
    const session = await sklens.open({ model, backend: 'gpu' });
    const rounds: sklens.Progress[] = [];
    const tuning = await session.tune({ batch: 2, onProgress: (progress) => rounds.push(progress) });
    expect(rounds.map(({ phase, done, total }) => [phase, done, total])).toEqual([0, 1, 2].map((done) => ['measure', done, 2]));
    expect(Object.keys(tuning.choices)).toEqual(['pointwise 1 1 1 2']);
    expect(session.info.tuned).toBe(1);
    const both = await session.tune();
    expect(Object.keys(both.choices)).toHaveLength(2);
    const restarted = new Promise((resolve) => session.addEventListener('engine', resolve, { once: true }));
    LocalWorker.last.deliver({ type: 'crashed', message: 'unreachable' });
    await restarted;
    expect(session.info.tuned).toBe(2);
    expect((await sklens.open({ model, backend: 'gpu', tunings: [tuning] })).info.tuned).toBe(1);
  });

  test('a measurement that loses its device leaves the engine alone', async () => {
    const session = await sklens.open({ model, backend: 'gpu' });
    const opened = [...fake.behaviour.opened];
    measure.lost = true;
    expect(await codeOf(session.benchmark())).toBe('device-lost');
    expect(await codeOf(session.tune())).toBe('device-lost');
    measure.lost = false;
    expect([fake.behaviour.opened, session.info.backend]).toEqual([opened, 'gpu']);
    expect((await session.benchmark()).batch).toBe(1);
  });

  test('is refused on the CPU and for an impossible batch', async () => {
    const session = await sklens.open({ model, backend: 'cpu' });
    expect(await codeOf(session.tune())).toBe('bad-option');
    expect(await codeOf((await sklens.open({ model, backend: 'gpu' })).tune({ batch: 0 }))).toBe('bad-option');
  });
});
