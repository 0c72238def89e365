//! The theoretical receptive field: which input pixels a position can see.
//!
//! Attention counts as given: a path through global pooling and softmax, by which every pixel acts on every channel's
//! weight, is not followed. Channels are told apart, so that slices, groups and shuffles are exact.

use super::{Graph, Op, SkUnit, TensorId};
use crate::{Error, Result};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

/// A box in input pixels, `x0 ≤ x < x1` and `y0 ≤ y < y1`; x to the right, y down, both from the input's corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct PixelBox {
    /// Left edge.
    pub x0: i64,
    /// Upper edge.
    pub y0: i64,
    /// Right edge, exclusive.
    pub x1: i64,
    /// Lower edge, exclusive.
    pub y1: i64,
}

/// What a position of a tensor can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceptiveField {
    /// As if every feature map went on beyond its edges; may reach beyond the picture.
    pub full: PixelBox,
    /// The smallest box around the pixels that can act on the position, since padding is constant; none if no pixel can.
    pub clipped: Option<PixelBox>,
}

/// Sizes in input pixels of the receptive field of an SK unit's output.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct FieldSizes {
    /// Where every unit takes the branch with the smallest effective kernel.
    pub smallest: f64,
    /// Where every unit takes the branch with the largest effective kernel.
    pub largest: f64,
    /// Weighted with attention: each unit adds its stride product × (Σ mean aₘ·sizeₘ − 1).
    pub expected: f64,
}

impl Graph {
    /// What position `[x, y]` of `tensor` sees, all channels together.
    ///
    /// # Errors
    /// `bad-option` if the tensor has no such position.
    pub fn receptive_field(&self, tensor: TensorId, [x, y]: [usize; 2]) -> Result<ReceptiveField> {
        let [_, height, width] = self.tensor(tensor).shape;
        if x >= width || y >= height {
            return Err(Error::bad_option(format!(
                "position [{x}, {y}] is outside {}, which is {width} wide and {height} high",
                self.tensor(tensor).name
            )));
        }
        let clipped = Trace::run(self, tensor, Positions::only([height, width], x, y));
        Ok(ReceptiveField { full: self.full_field(tensor, [x, y]), clipped: clipped.and_then(|p| p.bounds()) })
    }

    /// What position `[x, y]` of `tensor` would see, all channels together, if every feature map went on beyond its edges.
    pub fn full_field(&self, tensor: TensorId, [x, y]: [usize; 2]) -> PixelBox {
        let full = Trace::run(self, tensor, PixelBox::pixel(x as i64, y as i64));
        full.unwrap_or(PixelBox { x0: 0, y0: 0, x1: 0, y1: 0 })
    }

    /// Sizes for every SK unit; `shares[u]` holds the mean attention of each branch of unit `u`, of which only the
    /// proportions count. Paths are taken to be centred on each other, as they are where kernels are odd or strided.
    pub fn field_sizes(&self, shares: &[Vec<f64>]) -> Vec<FieldSizes> {
        let only = |m: usize, unit: &SkUnit| (0..unit.branches.len()).map(|i| f64::from(i == m)).collect::<Vec<_>>();
        let smallest = self.extents(&self.units.iter().map(|u| only(u.smallest(), u)).collect::<Vec<_>>());
        let largest = self.extents(&self.units.iter().map(|u| only(u.largest(), u)).collect::<Vec<_>>());
        let expected = self.extents(shares);
        let sizes = |unit: &SkUnit| {
            let at = unit.output.0;
            FieldSizes { smallest: smallest[at], largest: largest[at], expected: expected[at] }
        };
        self.units.iter().map(sizes).collect()
    }

    /// Width of each tensor's receptive field.
    fn extents(&self, shares: &[Vec<f64>]) -> Vec<f64> {
        let units: HashMap<TensorId, usize> = self.units.iter().enumerate().map(|(i, u)| (u.output, i)).collect();
        let mut extents = vec![1.0_f64; self.tensors.len()];
        let mut strides = vec![1.0_f64; self.tensors.len()];
        for node in &self.nodes {
            let inputs = seen(&node.op, &node.inputs);
            let widest = inputs.iter().map(|x| extents[x.0]).fold(1.0, f64::max);
            let stride = inputs.first().map_or(1.0, |x| strides[x.0]);
            let (kernel, step) = match &node.op {
                Op::Conv2d(conv) => (conv.effective_kernel(), conv.stride),
                Op::Pool(pool) => (pool.kernel, pool.stride),
                Op::GlobalAveragePool => {
                    let [_, height, width] = self.tensor(node.inputs[0]).shape;
                    (height.max(width), 1)
                }
                _ => (1, 1),
            };
            let share = units.get(&node.output).and_then(|&u| shares.get(u));
            let total: f64 = share.map_or(0.0, |s| s.iter().sum());
            extents[node.output.0] = match share {
                Some(share) if total > 0.0 => {
                    share.iter().zip(inputs).map(|(a, x)| a * extents[x.0]).sum::<f64>() / total
                }
                // All attention is switched off: what is left passes the unit by.
                Some(_) => {
                    let passing = &self.units[units[&node.output]].branch_inputs;
                    passing.iter().map(|x| extents[x.0]).fold(1.0, f64::max)
                }
                None => widest + (kernel - 1) as f64 * stride,
            };
            strides[node.output.0] = stride * step as f64;
        }
        extents
    }
}

/// The inputs through which an operator sees the picture: Select's weights count as given.
fn seen<'a>(op: &Op, inputs: &'a [TensorId]) -> &'a [TensorId] {
    match op {
        Op::Select => &inputs[1..],
        Op::Override { .. } => &inputs[..1],
        _ => inputs,
    }
}

/// A sliding window: output `p` reads `p · stride − padding + i · dilation`, `0 ≤ i < kernel`.
#[derive(Clone, Copy)]
struct Window {
    kernel: usize,
    stride: usize,
    padding: usize,
    dilation: usize,
}

/// A set of positions of one channel.
trait Region: Clone + Eq + Hash {
    fn union(&self, other: &Self) -> Self;
    /// The positions of an input of `size` that the windows at these positions read; none if there are none.
    fn through(&self, window: Window, size: [usize; 2]) -> Option<Self>;
    /// All positions.
    fn all(size: [usize; 2]) -> Self;
}

impl PixelBox {
    fn pixel(x: i64, y: i64) -> Self {
        Self { x0: x, y0: y, x1: x + 1, y1: y + 1 }
    }
}

impl Region for PixelBox {
    fn union(&self, other: &Self) -> Self {
        Self {
            x0: self.x0.min(other.x0),
            y0: self.y0.min(other.y0),
            x1: self.x1.max(other.x1),
            y1: self.y1.max(other.y1),
        }
    }
    fn through(&self, w: Window, _size: [usize; 2]) -> Option<Self> {
        let first = |p: i64| p * w.stride as i64 - w.padding as i64;
        let last = |p: i64| first(p - 1) + ((w.kernel - 1) * w.dilation + 1) as i64;
        Some(Self { x0: first(self.x0), y0: first(self.y0), x1: last(self.x1), y1: last(self.y1) })
    }
    fn all([height, width]: [usize; 2]) -> Self {
        Self { x0: 0, y0: 0, x1: width as i64, y1: height as i64 }
    }
}

/// The positions that exist, row-major.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Positions {
    width: usize,
    set: Vec<bool>,
}

impl Positions {
    fn only([height, width]: [usize; 2], x: usize, y: usize) -> Self {
        Self { width, set: (0..height * width).map(|p| p == y * width + x).collect() }
    }

    fn members(&self) -> impl Iterator<Item = [usize; 2]> {
        self.set.iter().enumerate().filter(|(_, s)| **s).map(|(p, _)| [p % self.width, p / self.width])
    }

    fn bounds(&self) -> Option<PixelBox> {
        self.members().map(|[x, y]| PixelBox::pixel(x as i64, y as i64)).reduce(|a, b| a.union(&b))
    }
}

impl Region for Positions {
    fn union(&self, other: &Self) -> Self {
        Self { width: self.width, set: self.set.iter().zip(&other.set).map(|(a, b)| a | b).collect() }
    }
    fn through(&self, w: Window, [height, width]: [usize; 2]) -> Option<Self> {
        let taps = |p: usize, size: usize| {
            (0..w.kernel).filter_map(move |i| {
                (p * w.stride + i * w.dilation).checked_sub(w.padding).filter(|&input| input < size)
            })
        };
        // First along x, for every row once, then along y.
        let rows = self.set.len() / self.width;
        let mut wide = vec![false; rows * width];
        self.members().for_each(|[x, y]| taps(x, width).for_each(|x| wide[y * width + x] = true));
        let mut set = vec![false; height * width];
        for (y, row) in wide.chunks_exact(width).enumerate() {
            for y in taps(y, height) {
                set[y * width..][..width].iter_mut().zip(row).for_each(|(s, r)| *s |= r);
            }
        }
        set.contains(&true).then_some(Self { width, set })
    }
    fn all([height, width]: [usize; 2]) -> Self {
        Self { width, set: vec![true; height * width] }
    }
}

/// Follows a region from a tensor back to the picture, channel by channel; equal regions are computed once.
struct Trace<R> {
    regions: Vec<R>,
    index: HashMap<R, usize>,
    unions: HashMap<[usize; 2], usize>,
    /// Index of the region of each channel of each tensor.
    of: Vec<Vec<Option<usize>>>,
}

impl<R: Region> Trace<R> {
    /// The part of the picture that `region` of all channels of `tensor` sees.
    fn run(graph: &Graph, tensor: TensorId, region: R) -> Option<R> {
        let of = graph.tensors.iter().map(|t| vec![None; t.shape[0]]).collect();
        let mut trace = Self { regions: Vec::new(), index: HashMap::new(), unions: HashMap::new(), of };
        let start = trace.intern(region);
        trace.of[tensor.0].fill(Some(start));
        for node in graph.nodes.iter().rev().filter(|node| node.output <= tensor) {
            let output = std::mem::take(&mut trace.of[node.output.0]);
            if output.iter().any(Option::is_some) {
                trace.step(graph, &node.op, &node.inputs, &output);
            }
            trace.of[node.output.0] = output;
        }
        let channels = trace.of[graph.input.0].clone();
        trace.join(&channels).map(|r| trace.regions[r].clone())
    }

    fn step(&mut self, graph: &Graph, op: &Op, inputs: &[TensorId], output: &[Option<usize>]) {
        let channels = output.len();
        let mut start = 0;
        for &x in seen(op, inputs) {
            let [count, height, width] = graph.tensor(x).shape;
            let size = [height, width];
            let regions = match op {
                Op::Conv2d(c) => {
                    let window =
                        Window { kernel: c.kernel, stride: c.stride, padding: c.padding, dilation: c.dilation };
                    let mut groups = Vec::new();
                    for group in output.chunks_exact(channels / c.groups) {
                        groups.push(self.join(group));
                    }
                    let groups = self.through(&groups, window, size);
                    (0..count).map(|k| groups[k / (count / c.groups)]).collect()
                }
                Op::Pool(p) => {
                    let window = Window { kernel: p.kernel, stride: p.stride, padding: p.padding, dilation: 1 };
                    self.through(output, window, size)
                }
                Op::GlobalAveragePool => {
                    let all = Some(self.intern(R::all(size)));
                    output.iter().map(|r| r.and(all)).collect()
                }
                Op::Linear(_) => vec![self.join(output); count],
                Op::BranchSoftmax { branches } => {
                    let per_branch = channels / branches;
                    let mut joined = Vec::new();
                    for c in 0..per_branch {
                        let of_channel: Vec<_> = output[c..].iter().step_by(per_branch).copied().collect();
                        joined.push(self.join(&of_channel));
                    }
                    joined.repeat(*branches)
                }
                Op::Slice { start, count: taken } => {
                    let mut all = vec![None; count];
                    all[*start..][..*taken].copy_from_slice(output);
                    all
                }
                Op::Concat => {
                    start += count;
                    output[start - count..start].to_vec()
                }
                Op::ChannelShuffle { groups } => {
                    let per_group = channels / groups;
                    (0..channels).map(|c| output[c % per_group * groups + c / per_group]).collect()
                }
                _ => output.to_vec(),
            };
            for (channel, region) in regions.into_iter().enumerate() {
                self.of[x.0][channel] = self.join(&[self.of[x.0][channel], region]);
            }
        }
    }

    fn intern(&mut self, region: R) -> usize {
        match self.index.entry(region) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                self.regions.push(new.key().clone());
                *new.insert(self.regions.len() - 1)
            }
        }
    }

    fn join(&mut self, regions: &[Option<usize>]) -> Option<usize> {
        regions.iter().flatten().copied().fold(None, |joined, region| match joined {
            Some(joined) if joined != region => Some(self.union(joined, region)),
            _ => Some(region),
        })
    }

    fn union(&mut self, a: usize, b: usize) -> usize {
        if let Some(&known) = self.unions.get(&[a, b]) {
            return known;
        }
        let union = self.intern(self.regions[a].union(&self.regions[b]));
        self.unions.insert([a, b], union);
        union
    }

    fn through(&mut self, regions: &[Option<usize>], window: Window, size: [usize; 2]) -> Vec<Option<usize>> {
        let mut known: HashMap<usize, Option<usize>> = HashMap::new();
        let mut through = Vec::with_capacity(regions.len());
        for region in regions {
            through.push(region.and_then(|r| match known.get(&r) {
                Some(known) => *known,
                None => {
                    let result = self.regions[r].through(window, size).map(|region| self.intern(region));
                    known.insert(r, result);
                    result
                }
            }));
        }
        through
    }
}
