/** Comparing outputs, then timing in alternation. */
import { readFile } from 'node:fs/promises';

/** Largest allowed difference from PyTorch, as a part of the largest value. */
const TOLERANCE = 1e-3;
/** Seconds that one sample should take: CPU time comes in hundredths. */
const SAMPLE = 0.5;
const MAX_TIMES = 200;
/** Seconds from which on one run is a sample. */
const SLOW = 5;

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function check(label, name, output, expected) {
  if (output.length !== expected.length) throw new Error(`${label} returns ${output.length} values for ${name}, not ${expected.length}`);
  const largest = expected.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  const worst = expected.reduce((most, v, i) => Math.max(most, Math.abs(v - output[i])), 0);
  if (!(worst <= TOLERANCE * largest)) throw new Error(`${label} differs from PyTorch by ${worst} of ${largest} in ${name}`);
  return worst / largest;
}

/** Opens `example` everywhere and compares the outputs; a contestant that fails is left out, with the reason. */
export async function open(contestants, example, folder) {
  const bytes = await readFile(`${folder}/${example.name}.output.f32`);
  const expected = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const ready = [];
  for (const contestant of contestants) {
    try {
      const difference = check(contestant.label, example.name, await contestant.open(example), expected);
      console.log(`    ${contestant.label}: ${difference.toExponential(1)} from PyTorch`);
      ready.push(contestant);
    } catch (error) {
      console.log(`    ${contestant.label} is left out of ${example.name}: ${error.message}`);
    }
  }
  return ready;
}

/**
 * CPU and wall seconds of each entry `{ key, contestant, options, scale }`, per run times `scale`: medians of `samples`, the
 * entries taking turns.
 */
export async function time(entries, samples) {
  for (const entry of entries) {
    // The first run of a shape prepares it, which counts little where a run is slow.
    let once = await entry.contestant.run({ times: 1, ...entry.options });
    if (once < SLOW) once = await entry.contestant.run({ times: 1, ...entry.options });
    entry.times = Math.max(1, Math.min(MAX_TIMES, Math.ceil(SAMPLE / once)));
    entry.cpu = [];
    entry.wall = [];
  }
  for (let sample = 0; sample < samples; sample++) {
    for (const { contestant, options, times, scale = 1, cpu, wall } of entries) {
      const before = contestant.cpuSeconds();
      const seconds = await contestant.run({ times, ...options });
      cpu.push(((contestant.cpuSeconds() - before) / times) * scale);
      wall.push((seconds / times) * scale);
    }
  }
  return Object.fromEntries(entries.map(({ key, cpu, wall }) => [key, { cpu: median(cpu), wall: median(wall) }]));
}
