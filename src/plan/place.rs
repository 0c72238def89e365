//! Places every tensor: plain storages, stacks, and bundles for tensors that are split, concatenated and shuffled.
//!
//! A *virtual* tensor (Slice, Concat, ChannelShuffle) is never computed: it is a list of channels of other tensors. The
//! tensors that one virtual tensor draws from share one storage, a bundle. Channels with the same readers fill whole
//! quads, so that every reader finds its channels in a list of quads; a quad is given to another tensor when its last
//! reader has run. Where a kernel cannot read such a view, a gather step makes a plain copy.

use super::fuse::Fused;
use super::memory::Storage;
use super::view::{LANES, StorageId, View, Views, quads};
use crate::graph::{Graph, Op, TensorId};
use crate::kernels::{Elementwise, Gather, InputLayout, Kernel};
use crate::order::sort_short;
use std::collections::{BTreeMap, BTreeSet};

/// Steps and where their tensors lie.
pub(super) struct Placed {
    pub steps: Vec<Box<dyn Kernel>>,
    pub views: Views,
    pub storages: Vec<Storage>,
    pub read_back: Vec<StorageId>,
}

/// A channel of a computed tensor.
type ChannelRef = (TensorId, usize);

pub(super) fn place(graph: &Graph, fused: Fused) -> Placed {
    let mut placer = Placer::new(graph, fused);
    placer.gather_where_needed();
    placer.place_stacks();
    placer.place_bundles();
    placer.place_plain();
    placer.finish(graph)
}

/// A set of tensors, inserted one by one: collecting would bring another sort into the browser's module.
fn tensor_set(tensors: impl IntoIterator<Item = TensorId>) -> BTreeSet<TensorId> {
    let mut set = BTreeSet::new();
    set.extend(tensors);
    set
}

struct Placer {
    steps: Vec<Box<dyn Kernel>>,
    shapes: Vec<[usize; 3]>,
    stacks: Vec<Vec<TensorId>>,
    /// Tensors to read back, besides the first stack.
    outputs: Vec<TensorId>,
    /// Parts of branch-major tensors: each part starts a new quad.
    parts: BTreeMap<TensorId, usize>,
    /// For each virtual tensor the computed channels behind it.
    sources: BTreeMap<TensorId, Vec<ChannelRef>>,
    views: Vec<Option<View>>,
    storages: Vec<Storage>,
}

impl Placer {
    fn new(graph: &Graph, fused: Fused) -> Self {
        let mut sources: BTreeMap<TensorId, Vec<ChannelRef>> = BTreeMap::new();
        for node in &graph.nodes {
            let channels = |id: TensorId| {
                sources.get(&id).cloned().unwrap_or_else(|| (0..graph.tensor(id).shape[0]).map(|c| (id, c)).collect())
            };
            let refs = match node.op {
                Op::Slice { start, count } => channels(node.inputs[0])[start..start + count].to_vec(),
                Op::Concat => node.inputs.iter().flat_map(|&x| channels(x)).collect(),
                Op::ChannelShuffle { groups } => {
                    let x = channels(node.inputs[0]);
                    let per_group = x.len() / groups;
                    (0..x.len()).map(|c| x[(c % groups) * per_group + c / groups]).collect()
                }
                _ => continue,
            };
            sources.insert(node.output, refs);
        }
        let mut parts = BTreeMap::new();
        for node in &graph.nodes {
            match node.op {
                Op::BranchSoftmax { branches } => parts.extend([(node.inputs[0], branches), (node.output, branches)]),
                Op::Override { branches } => parts.extend([(node.output, branches), (node.inputs[1], 2 * branches)]),
                Op::BranchSoftmaxBackward { branches } | Op::OverrideBackward { branches } => {
                    parts.extend([(node.inputs[0], branches), (node.output, branches)]);
                }
                Op::Select => parts.extend([(node.inputs[0], node.inputs.len() - 1)]),
                _ => {}
            }
        }
        // Terms are added lane by lane.
        let both_ways = fused.steps.iter().chain(fused.steps.iter().rev());
        for step in both_ways.filter(|step| step.family() == Elementwise::FAMILY) {
            let all = || step.inputs().into_iter().chain(step.outputs());
            if let Some(branches) = all().find_map(|id| parts.get(&id).copied()) {
                parts.extend(all().map(|id| (id, branches)));
            }
        }
        let views = vec![None; fused.shapes.len()];
        let Fused { steps, shapes, stacks, outputs } = fused;
        Self { steps, shapes, stacks, outputs, parts, sources, views, storages: Vec::new() }
    }

    fn is_virtual(&self, id: TensorId) -> bool {
        self.sources.contains_key(&id)
    }

    /// Virtual tensors that a step reads or that are read back.
    fn virtual_uses(&self) -> BTreeSet<TensorId> {
        let read = self.steps.iter().flat_map(|s| s.inputs());
        tensor_set(read.chain(self.outputs.iter().copied()).filter(|&t| self.is_virtual(t)))
    }

    /// Replaces reads of virtual tensors that cannot be views by reads of gathered copies.
    fn gather_where_needed(&mut self) {
        while let Some((step, input)) = self.find_unreadable() {
            let copy = TensorId(self.shapes.len());
            self.shapes.push(self.shapes[input.0]);
            self.views.push(None);
            if let Some(&parts) = self.parts.get(&input) {
                self.parts.insert(copy, parts);
            }
            self.steps[step].rewire(input, copy);
            let gathers = Gather::steps(&self.channels(input), copy);
            self.steps.splice(step..step, gathers.into_iter().map(|g| Box::new(g) as Box<dyn Kernel>));
        }
        let layouts = Layouts::of(self);
        for id in self.outputs.clone() {
            if self.is_virtual(id) && !self.source_tensors(id).iter().all(|t| layouts.bundleable[t.0]) {
                let channels = self.sources.remove(&id).unwrap_or_default();
                self.steps.extend(Gather::steps(&channels, id).into_iter().map(|g| Box::new(g) as Box<dyn Kernel>));
            }
        }
    }

    /// The computed channels behind a tensor; its own if it is computed itself.
    fn channels(&self, id: TensorId) -> Vec<ChannelRef> {
        let own = || (0..self.shapes[id.0][0]).map(|c| (id, c)).collect();
        self.sources.get(&id).cloned().unwrap_or_else(own)
    }

    /// The computed tensors behind a virtual one.
    fn source_tensors(&self, id: TensorId) -> BTreeSet<TensorId> {
        tensor_set(self.sources[&id].iter().map(|(t, _)| *t))
    }

    /// Whether no two channels of a virtual tensor are one computed channel; kernels have one weight for each lane.
    fn is_injective(&self, id: TensorId) -> bool {
        let mut seen = BTreeSet::new();
        self.sources[&id].iter().all(|channel| seen.insert(channel))
    }

    /// A step and an input of it that it cannot read where the tensor would lie.
    fn find_unreadable(&self) -> Option<(usize, TensorId)> {
        let layouts = Layouts::of(self);
        let bundles = self.bundles(&layouts);
        let bundle_of = |id: TensorId| bundles.iter().position(|b| b.contains(&id));
        for (index, step) in self.steps.iter().enumerate().filter(|(_, s)| s.family() != Gather::FAMILY) {
            for input in step.inputs() {
                let sources = if self.is_virtual(input) { self.source_tensors(input) } else { tensor_set([input]) };
                let readable = !self.is_virtual(input)
                    || (layouts.takes_views(step.as_ref(), input)
                        && self.is_injective(input)
                        && sources.iter().all(|t| layouts.bundleable[t.0]));
                // A step must not read and write one storage.
                let own = sources.first().and_then(|&t| bundle_of(t));
                let clash = own.is_some() && step.outputs().iter().any(|&y| bundle_of(y) == own);
                if !readable || clash {
                    return Some((index, input));
                }
            }
        }
        None
    }

    /// Sets of tensors that must share a storage because one virtual tensor draws from them.
    fn bundles(&self, layouts: &Layouts) -> Vec<BTreeSet<TensorId>> {
        let mut bundles: Vec<BTreeSet<TensorId>> = Vec::new();
        for id in self.virtual_uses() {
            let mut merged = self.source_tensors(id);
            if !merged.iter().all(|t| layouts.bundleable[t.0]) {
                continue;
            }
            bundles.retain(|b| {
                let apart = b.is_disjoint(&merged);
                if !apart {
                    merged.extend(b.iter().copied());
                }
                apart
            });
            bundles.push(merged);
        }
        bundles
    }

    /// First step that writes and last that reads `id`, itself or through the given virtual tensors.
    fn lifetime(&self, id: TensorId, through: &[TensorId]) -> (usize, usize) {
        let first = self.steps.iter().position(|s| s.outputs().contains(&id)).unwrap_or(0);
        let is_use = |t: &TensorId| *t == id || through.contains(t);
        if self.outputs.iter().any(is_use) {
            return (first, self.steps.len());
        }
        let last = self.steps.iter().rposition(|s| s.inputs().iter().any(is_use) || s.outputs().contains(&id));
        (first, last.unwrap_or(first))
    }

    fn storage(&mut self, item: usize, first: usize, last: usize) -> StorageId {
        self.storages.push(Storage { item, first, last });
        StorageId(self.storages.len() - 1)
    }

    fn place_stacks(&mut self) {
        for (index, stack) in self.stacks.clone().into_iter().enumerate().filter(|(_, s)| !s.is_empty()) {
            let lives: Vec<_> = stack.iter().map(|&t| self.lifetime(t, &[])).collect();
            let first = lives.iter().map(|l| l.0).min().unwrap_or(0);
            let last = lives.iter().map(|l| l.1).max().unwrap_or(0);
            // The host reads the results after the run and writes the overrides before it.
            let is_input = self.steps.iter().all(|s| !s.outputs().iter().any(|t| stack.contains(t)));
            let first = if is_input { 0 } else { first };
            let last = if index == 0 || is_input { self.steps.len() } else { last };
            let item = stack.iter().map(|t| self.plain_quads(*t)).sum();
            let storage = self.storage(item, first, last);
            let mut base = 0;
            for id in stack {
                self.views[id.0] = Some(self.plain_view(id, storage, item, base));
                base += self.plain_quads(id);
            }
        }
    }

    /// Quads per position of a plain tensor.
    fn plain_stride(&self, id: TensorId) -> usize {
        let parts = self.parts.get(&id).copied().unwrap_or(1);
        parts * quads(self.shapes[id.0][0] / parts)
    }

    fn plain_quads(&self, id: TensorId) -> usize {
        let [_, h, w] = self.shapes[id.0];
        self.plain_stride(id) * h * w
    }

    fn plain_view(&self, id: TensorId, storage: StorageId, item: usize, base: usize) -> View {
        let [channels, height, width] = self.shapes[id.0];
        let stride = self.plain_stride(id);
        let per_part = channels / self.parts.get(&id).copied().unwrap_or(1);
        let lane = |c: usize| (c / per_part * quads(per_part) * LANES + c % per_part) as u32;
        let (slots, lanes) = ((0..stride as u32).collect(), (0..channels).map(lane).collect());
        View { storage, height, width, item, base, stride, slots, lanes }
    }

    fn place_bundles(&mut self) {
        for bundle in self.bundles(&Layouts::of(self)) {
            let readers: Vec<TensorId> = self
                .virtual_uses()
                .into_iter()
                .filter(|v| self.sources[v].iter().any(|(t, _)| bundle.contains(t)))
                .collect();
            let groups = self.groups(&bundle, &readers);
            let slots = allocate_slots(&groups);
            let stride = slots.iter().flatten().max().map_or(0, |&s| s as usize + 1);
            let first = groups.iter().map(|g| g.first).min().unwrap_or(0);
            let last = groups.iter().map(|g| g.last).max().unwrap_or(0);
            let [_, height, width] = self.shapes[groups[0].tensor.0];
            let item = stride * height * width;
            let storage = self.storage(item, first, last);
            for &id in bundle.iter().chain(&readers) {
                let mut view = View { storage, height, width, item, base: 0, stride, slots: vec![], lanes: vec![] };
                let mut lane_of = BTreeMap::new();
                for (group, slots) in groups.iter().zip(&slots) {
                    if group.tensor == id || group.readers.contains(&id) {
                        for (i, &c) in group.channels.iter().enumerate() {
                            lane_of.insert((group.tensor, c), (view.slots.len() * LANES + i) as u32);
                        }
                        view.slots.extend(slots);
                    }
                }
                view.lanes = match self.sources.get(&id) {
                    Some(sources) => sources.iter().map(|r| lane_of[r]).collect(),
                    None => (0..self.shapes[id.0][0]).map(|c| lane_of[&(id, c)]).collect(),
                };
                self.views[id.0] = Some(view);
            }
        }
    }

    /// The channels of each tensor by the virtual tensors that show them, in order of definition.
    fn groups(&self, bundle: &BTreeSet<TensorId>, readers: &[TensorId]) -> Vec<Group> {
        let mut shown: BTreeMap<ChannelRef, Vec<TensorId>> = BTreeMap::new();
        for &v in readers {
            for &r in &self.sources[&v] {
                let by = shown.entry(r).or_default();
                if by.last() != Some(&v) {
                    by.push(v);
                }
            }
        }
        let mut groups: BTreeMap<(TensorId, Vec<TensorId>), Vec<usize>> = BTreeMap::new();
        for &id in bundle {
            for c in 0..self.shapes[id.0][0] {
                let by = shown.remove(&(id, c)).unwrap_or_default();
                groups.entry((id, by)).or_default().push(c);
            }
        }
        let mut groups: Vec<Group> = groups
            .into_iter()
            .map(|((tensor, readers), channels)| {
                let (first, last) = self.lifetime(tensor, &readers);
                Group { tensor, readers, channels, first, last }
            })
            .collect();
        sort_short(&mut groups, |a, b| (a.first, a.last) < (b.first, b.last));
        groups
    }

    fn place_plain(&mut self) {
        for index in 0..self.steps.len() {
            for id in self.steps[index].outputs() {
                if self.views[id.0].is_some() {
                    continue;
                }
                let (first, last) = self.lifetime(id, &[]);
                let spread = self.steps[index].inputs().into_iter().find(|&x| {
                    self.steps[index].input_layout(x) == InputLayout::Propagates
                        && self.views[x.0].as_ref().is_some_and(|v| !v.is_plain())
                });
                // The input's lanes, where the step takes them over.
                let like = spread.and_then(|x| self.views[x.0].clone());
                let [_, height, width] = self.shapes[id.0];
                let stride = like.as_ref().map_or(self.plain_stride(id), View::quads);
                let item = stride * height * width;
                let storage = self.storage(item, first, last);
                let mut view = self.plain_view(id, storage, item, 0);
                if let Some(like) = like {
                    view = View { stride, slots: (0..stride as u32).collect(), lanes: like.lanes, ..view };
                }
                self.views[id.0] = Some(view);
            }
        }
    }

    fn finish(mut self, graph: &Graph) -> Placed {
        for id in graph.nodes.iter().filter(|node| node.op == Op::Input).map(|node| node.output) {
            if self.views[id.0].is_none() {
                let (_, last) = self.lifetime(id, &[]);
                let item = self.plain_quads(id);
                let storage = self.storage(item, 0, last);
                self.views[id.0] = Some(self.plain_view(id, storage, item, 0));
            }
        }
        let mut read_back = Vec::new();
        for id in self.stacks[0].iter().chain(&self.outputs) {
            if let Some(view) = &self.views[id.0]
                && !read_back.contains(&view.storage)
            {
                read_back.push(view.storage);
            }
        }
        Placed { steps: self.steps, views: Views(self.views), storages: self.storages, read_back }
    }
}

/// Which tensors may be spread over the quads of a bundle.
struct Layouts {
    /// By tensor: its producer writes any view and all its readers take any view.
    bundleable: Vec<bool>,
    /// By tensor: all its readers take any view.
    free: Vec<bool>,
}

impl Layouts {
    fn of(placer: &Placer) -> Self {
        let count = placer.shapes.len();
        let mut layouts = Self { bundleable: vec![false; count], free: vec![true; count] };
        // Backwards, because what a propagating step takes depends on the readers of its output.
        for step in placer.steps.iter().rev() {
            for input in step.inputs() {
                layouts.free[input.0] &= layouts.takes_views(step.as_ref(), input);
            }
        }
        let drawn = tensor_set(placer.virtual_uses().into_iter().flat_map(|v| placer.source_tensors(v)));
        for step in &placer.steps {
            for output in step.outputs() {
                layouts.bundleable[output.0] = step.writes_views()
                    && layouts.free[output.0]
                    && drawn.contains(&output)
                    && !placer.stacks.iter().any(|s| s.contains(&output));
            }
        }
        layouts
    }

    fn takes_views(&self, step: &dyn Kernel, input: TensorId) -> bool {
        match step.input_layout(input) {
            InputLayout::Plain => false,
            InputLayout::Any => true,
            InputLayout::Propagates => step.outputs().iter().all(|y| self.free[y.0]),
        }
    }
}

/// Channels of one tensor that the same virtual tensors show.
struct Group {
    tensor: TensorId,
    readers: Vec<TensorId>,
    channels: Vec<usize>,
    first: usize,
    last: usize,
}

/// Slots for the quads of each group; groups whose lifetimes do not meet may share slots. Groups come by definition.
fn allocate_slots(groups: &[Group]) -> Vec<Vec<u32>> {
    let mut free_after: Vec<usize> = Vec::new();
    groups
        .iter()
        .map(|group| {
            let mut slots = Vec::new();
            while slots.len() < quads(group.channels.len()) {
                let slot = (0..free_after.len())
                    .find(|&s| !slots.contains(&(s as u32)) && free_after[s] < group.first)
                    .unwrap_or_else(|| {
                        free_after.push(0);
                        free_after.len() - 1
                    });
                free_after[slot] = group.last;
                slots.push(slot as u32);
            }
            slots
        })
        .collect()
}
