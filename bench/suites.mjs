/** What is compared, and how the numbers become the rows of the goals' table. */
import { PageContestant, ProcessContestant } from './contestants.mjs';
import { open, time } from './measure.mjs';

const RELAXED = 'relaxed';
const UNIT_GOAL = 10;
export const SAMPLES = { native: 7, wasm: 5, webgpu: 3 };
const SCALES = 11;
/** Sizes and batches that are compared with 224 px and one picture. */
const SCALING = { sides: [128, 160, 320, 384, 512], batches: [4, SCALES, 16], samples: 5 };
/** The same where a run takes seconds. */
const SLOW_SCALING = { sides: [128, 512], batches: [SCALES], samples: 1 };
/** Time per multiply-add, at most, over that at 224 px and batch 1. */
const SCALING_GOAL = 1.25;

const networks = (cases) => cases.filter(({ kind }) => kind === 'network');
const named = (cases, name) => cases.find((example) => example.name === name);

export const native = {
  title: 'Native CPU, one thread',
  unit: 'process CPU',
  contestants: ({ python, program }) => [
    new ProcessContestant('sklens', 'SK Lens', program, ['sklens']),
    new ProcessContestant('onnxruntime', 'onnxruntime', python, ['native/onnxruntime_cpu.py']),
    new ProcessContestant('tract', 'tract', program, ['tract']),
  ],
  async run(contestants, cases, folder) {
    const rows = [];
    for (const example of networks(cases)) rows.push(await compare(contestants, example, folder, SAMPLES.native));
    const scaling = await scale(contestants[0], networks(cases), folder, SCALING);
    return { rows, scaling };
  },
  goals: ({ rows, scaling }) => [
    ...rows.map((row) => faster(row, 'onnxruntime', 0.8)),
    ...rows.map((row) => faster(row, 'tract', undefined)),
    ...scalingGoals(scaling, 'native CPU'),
  ],
};

export const wasm = {
  title: 'WebAssembly in Chromium, one thread',
  unit: 'renderer CPU',
  contestants: () => [
    new PageContestant('sklens', 'SK Lens', 'sklens', false),
    new PageContestant(RELAXED, 'SK Lens with relaxed SIMD', 'sklens_relaxed', false),
    new PageContestant('onnxruntime', 'ONNX Runtime Web', 'onnxruntime', false),
    new PageContestant('tensorflow', 'TensorFlow.js', 'tensorflow', false),
  ],
  async run([sklens, relaxed, onnxruntime, tensorflow], cases, folder) {
    const rows = [];
    // The module of single operators is compiled for plain SIMD only.
    const by = { network: [sklens, relaxed, onnxruntime], sk_unit: [sklens, onnxruntime], pointwise: [sklens, onnxruntime, tensorflow] };
    for (const example of cases) rows.push(await compare(by[example.kind], example, folder, SAMPLES.wasm));
    return { rows, scaling: await scale(relaxed, networks(cases), folder, SCALING) };
  },
  goals: ({ rows, scaling }) => [
    faster(named(rows, 'sknet50'), 'onnxruntime', 1),
    faster(named(rows, 'sknet50'), 'onnxruntime', 1.2, RELAXED),
    faster(named(rows, 'sk_shufflenet_v2_x1_0'), 'onnxruntime', 1.5),
    faster(named(rows, 'sk_shufflenet_v2_x1_0'), 'onnxruntime', 1.5, RELAXED),
    ...total(rows, 'pointwise', '1×1 convolutions of SKNet-50', ['onnxruntime', 'tensorflow'], undefined),
    ...scalingGoals(scaling, 'WebAssembly'),
  ],
};

export const webgpu = {
  title: 'WebGPU in Chromium',
  unit: 'GPU-process CPU',
  contestants: () => [
    new PageContestant('sklens', 'SK Lens', 'sklens', true),
    new PageContestant('onnxruntime', 'ONNX Runtime Web', 'onnxruntime', true),
    new PageContestant('tensorflow', 'TensorFlow.js', 'tensorflow', true),
  ],
  async run([sklens, onnxruntime, tensorflow], cases, folder) {
    const rows = [];
    for (const example of cases) {
      const contestants = example.kind === 'pointwise' ? [sklens, onnxruntime, tensorflow] : [sklens, onnxruntime];
      rows.push(await compare(contestants, example, folder, SAMPLES.webgpu));
    }
    return { rows, scaling: await scale(sklens, networks(cases), folder, SLOW_SCALING) };
  },
  goals: ({ rows, scaling }) => [
    faster(named(rows, 'sknet50'), 'onnxruntime', 6),
    faster(named(rows, 'sk_shufflenet_v2_x1_0'), 'onnxruntime', undefined),
    ...rows.filter(({ kind }) => kind === 'sk_unit').map((row) => faster(row, 'onnxruntime', UNIT_GOAL)),
    ...total(rows, 'pointwise', '1×1 convolutions of SKNet-50', ['onnxruntime', 'tensorflow'], 3),
    ...scalingGoals(scaling, 'WebGPU'),
  ],
};

async function compare(contestants, example, folder, samples) {
  console.log(`  ${example.name}`);
  const ready = await open(contestants, example, folder);
  const times = await time(ready.map((contestant) => ({ key: contestant.id, contestant, options: {} })), samples);
  return { name: example.name, kind: example.kind, times };
}

/** Time per picture and pixel in batches and at other sizes, over that at 224 px and batch 1. */
async function scale(contestant, examples, folder, { sides, batches, samples }) {
  const results = [];
  for (const example of examples) {
    const [ready] = await open([contestant], example, folder);
    if (!ready) continue;
    const side = example.shape[2];
    const of = async (options, pictures) => {
      const entry = (key, options, scale) => ({ key, contestant, options, scale });
      const pixels = (options.side / side) ** 2 * pictures;
      const one = { batch: 1, side };
      const times = await time([entry('one', one, 1), entry('other', options, 1 / pixels)], samples);
      return times.other.cpu / times.one.cpu;
    };
    const ratios = { batches: {}, sides: {} };
    for (const batch of batches) ratios.batches[batch] = await of({ batch, side }, batch);
    for (const other of sides) ratios.sides[other] = await of({ batch: 1, side: other }, 1);
    results.push({ name: example.name, ...ratios });
  }
  return results;
}

/** What the report shows of a ratio, which is what is judged: CPU time comes in hundredths of a second. */
const printed = (ratio) => Number(ratio?.toFixed(2));

/** A goal on how many times as fast as `peer` SK Lens is, as contestant `own`; without a number, only the measurement. */
function faster(row, peer, goal, own = 'sklens') {
  const { [own]: ours, [peer]: other } = row?.times ?? {};
  const ratio = ours && other ? other.cpu / ours.cpu : undefined;
  const what = row ? row.name + (own === RELAXED ? ', relaxed SIMD' : '') : 'not measured';
  return { what, against: peer, goal: goal && `≥ ${goal}×`, ratio, met: goal && printed(ratio) >= goal };
}

/** {@link faster} for the sum of all rows of a kind that both ran, weighted equally. */
function total(rows, kind, what, peers, goal) {
  return peers.map((peer) => {
    const both = rows.filter((row) => row.kind === kind && row.times.sklens && row.times[peer]);
    const sum = (id) => ({ cpu: both.reduce((all, { times }) => all + times[id].cpu, 0) });
    const name = `${what}, ${both.length} shapes together`;
    return faster(both.length ? { name, times: { sklens: sum('sklens'), [peer]: sum(peer) } } : undefined, peer, goal);
  });
}

function scalingGoals(scaling, where) {
  return scaling.flatMap(({ name, batches, sides }) => {
    const most = name === 'sknet50' ? 1 : 0.85;
    const { [SCALES]: many, ...fewer } = batches;
    const tried = [...Object.keys(sides).map((side) => `${side} px`), ...Object.keys(fewer).map((batch) => `batch ${batch}`)];
    const worst = Math.max(...Object.values(sides), ...Object.values(fewer));
    const own = '11 single runs';
    return [
      { what: `${name}, batch of 11, ${where}`, against: own, goal: `≤ ${most}×`, ratio: many, met: printed(many) <= most },
      {
        what: `${name}, time per multiply-add, worst of ${tried.join(', ')}, ${where}`,
        against: '224 px, batch 1',
        goal: `≤ ${SCALING_GOAL}×`,
        ratio: worst,
        met: printed(worst) <= SCALING_GOAL,
      },
    ];
  });
}
