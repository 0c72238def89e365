//! Copies channels out of any view into a plain tensor, for kernels that need contiguous quads.

use super::*;
use crate::plan::LANES;
use std::ops::Range;

pub(super) const SHADER: &Shader = shader!("gather");
/// Table entry of a lane that another step writes.
const LEAVE: u32 = u32::MAX;
/// Table entry of a padding lane.
const ZERO: u32 = u32::MAX - 1;

/// Copies channels of one tensor into lanes of a plain tensor.
///
/// Several steps may write one output, each its own lanes; the first of them also zeroes the padding lanes.
#[derive(Clone, Debug)]
pub struct Gather {
    /// x, in any view.
    pub input: TensorId,
    /// `(channel of x, channel of the output)` pairs.
    pub channels: Vec<(usize, usize)>,
    /// Whether this step also zeroes the padding lanes.
    pub pads: bool,
    /// Whether this step also zeroes the channels that it does not copy.
    pub clears: bool,
    /// The plain copy, of x's height and width.
    pub output: TensorId,
}

impl Gather {
    /// [`Kernel::family`].
    pub const FAMILY: &'static str = "gather";

    /// One step per source tensor; channel `c` of `output` is `channels[c]`.
    pub fn steps(channels: &[(TensorId, usize)], output: TensorId) -> Vec<Self> {
        let mut steps: Vec<Self> = Vec::new();
        for (to, &(input, from)) in channels.iter().enumerate() {
            match steps.iter_mut().find(|s| s.input == input) {
                Some(step) => step.channels.push((from, to)),
                None => {
                    let pads = steps.is_empty();
                    steps.push(Self { input, channels: vec![(from, to)], pads, clears: false, output });
                }
            }
        }
        steps
    }
}

impl Kernel for Gather {
    fn family(&self) -> &'static str {
        Self::FAMILY
    }
    fn inputs(&self) -> Vec<TensorId> {
        vec![self.input]
    }
    fn outputs(&self) -> Vec<TensorId> {
        vec![self.output]
    }
    fn input_layout(&self, _input: TensorId) -> InputLayout {
        InputLayout::Any
    }
    fn rewire(&mut self, from: TensorId, to: TensorId) {
        if self.input == from {
            self.input = to;
        }
    }
    /// For each lane of the output the float of x's position that it copies, `LEAVE` or `ZERO`.
    fn pack(&self, views: &Views, _parameters: &Parameters) -> Result<Vec<Packed>> {
        let (x, y) = (views.of(self.input), views.of(self.output));
        let [other, padding] = [self.clears, self.pads].map(|zero| if zero { ZERO } else { LEAVE });
        let mut table: Vec<u32> =
            y.channel_of_lane().into_iter().map(|c| if c.is_some() { other } else { padding }).collect();
        for &(from, to) in &self.channels {
            let (quad, lane) = (x.lanes[from] as usize / LANES, x.lanes[from] as usize % LANES);
            table[y.lanes[to] as usize] = x.slots[quad] * LANES as u32 + lane as u32;
        }
        Ok(vec![Packed::U32(table)])
    }
    fn lower(&self, lowering: &Lowering) -> Vec<Dispatch> {
        let (x, y) = (lowering.views.of(self.input), lowering.views.of(self.output));
        let lanes = y.quads() * LANES;
        let mut constants = vec![
            ("LANES", lanes as f64),
            ("POSITIONS", y.positions() as f64),
            // Without the first slot, which the table includes.
            ("X_ITEM", x.item as f64),
            ("X_BASE", x.base as f64),
            ("X_STRIDE", x.stride as f64),
        ];
        constants.extend(view_constants(["Y_ITEM", "Y_BASE", "Y_STRIDE"], y));
        let bindings = vec![Operand::Read(x.storage), Operand::Constant(0), Operand::Write(y.storage)];
        let workgroups = lowering.grid(y.positions() * lanes);
        vec![Dispatch { shader: SHADER, constants, bindings, workgroups }]
    }
    fn run(&self, context: &mut CpuContext) {
        let (x, y) = (context.view(self.input), context.view(self.output));
        context.write(self.output, |context, out| {
            let (table, values) = (context.table(0), context.read(self.input));
            let zeros = spans(table, |entry| entry == ZERO, |_, _| true);
            let copies = spans(table, |entry| entry != ZERO && entry != LEAVE, |before, entry| entry == before + 1);
            for (n, p) in (0..context.batch).flat_map(|n| (0..y.positions()).map(move |p| (n, p))) {
                let from = &values[(n * x.item + x.base + p * x.stride) * LANES..];
                let to = &mut out[y.offset(n, p, 0)..][..table.len()];
                zeros.iter().for_each(|span| to[span.clone()].fill(0.0));
                for span in &copies {
                    let start = table[span.start] as usize;
                    if span.len() == 1 {
                        to[span.start] = from[start];
                    } else {
                        to[span.clone()].copy_from_slice(&from[start..][..span.len()]);
                    }
                }
            }
        });
    }
}

/// The longest runs of entries that are `wanted`, in each of which every entry follows the one `before` it.
fn spans(table: &[u32], wanted: fn(u32) -> bool, follows: fn(u32, u32) -> bool) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    for (at, &entry) in table.iter().enumerate().filter(|(_, entry)| wanted(**entry)) {
        match spans.last_mut() {
            Some(span) if span.end == at && follows(table[at - 1], entry) => span.end += 1,
            _ => spans.push(at..at + 1),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_per_source_and_only_the_first_pads() {
        let [a, b, y] = [TensorId(0), TensorId(1), TensorId(2)];
        let steps = Gather::steps(&[(b, 3), (a, 0), (b, 1)], y);
        let found: Vec<_> = steps.iter().map(|s| (s.input, s.channels.clone(), s.pads)).collect();
        assert_eq!(found, [(b, vec![(3, 0), (1, 2)], true), (a, vec![(0, 1)], false)]);
    }
}
