/** The Markdown of docs/benchmarks.md. */

const milliseconds = (seconds) => (seconds === undefined ? '' : (seconds * 1e3).toPrecision(3));
const verdict = ({ goal, ratio, met }) => (ratio === undefined ? 'not measured' : !goal ? '' : met ? 'met' : '**missed**');

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function goals(suite, result) {
  return suite.goals(result).map((goal) => [
    goal.what,
    goal.against,
    goal.goal ?? '',
    goal.ratio === undefined ? '' : `${goal.ratio.toFixed(2)}×`,
    verdict(goal),
  ]);
}

function details(suite, { rows, scaling = [] }) {
  const ids = [...new Set(rows.flatMap(({ times }) => Object.keys(times)))];
  const cells = (times) => ids.flatMap((id) => [milliseconds(times[id]?.cpu), milliseconds(times[id]?.wall)]);
  const head = ['', ...ids.flatMap((id) => [`${id}, CPU`, `${id}, wall`])];
  const parts = [table(head, rows.map(({ name, times }) => [name, ...cells(times)]))];
  for (const { name, batches, sides } of scaling) {
    const ratios = Object.entries(sides).map(([side, ratio]) => `${side} px ${ratio.toFixed(2)}`);
    ratios.push(...Object.entries(batches).map(([batch, ratio]) => `batch ${batch} ${ratio.toFixed(2)}`));
    parts.push(`Time per picture and pixel of ${name} over that at 224 px, batch 1: ${ratios.join(', ')}.`);
  }
  return parts.join('\n\n');
}

/** `results` holds `{ suite, samples, result, abouts }` for each suite that ran, `missing` the others. */
export function report({ results, missing, versions, machine }) {
  const sections = results.map(({ suite, samples, result, abouts }) =>
    [
      `## ${suite.title}`,
      Object.entries(abouts).map(([label, about]) => `${label}: ${about}.`).join(' '),
      table(['what', 'against', 'goal', 'measured', ''], goals(suite, result)),
      `Milliseconds, median of ${samples} samples; CPU is ${suite.unit} time.`,
      details(suite, result),
    ].join('\n\n'),
  );
  return `${[
    '# Benchmarks',
    'Written by `cargo xtask bench`. Weights are generated, inputs 224 px and batch 1 unless said, everything f32. All engines\' outputs equalled PyTorch\'s within 1e-3 of the largest value before anything was timed; then they took turns. Ratios are of CPU time, because other processes ran on this machine; above 1 SK Lens is faster, except where it is compared with itself: there it is the time over that of the comparison.',
    `Machine: ${machine}. ${versions}`,
    ...(missing.length ? [`Not measured: ${missing.map(({ title }) => title).join('; ')}.`] : []),
    ...sections,
  ].join('\n\n')}\n`;
}
