//! Where a tensor's values lie: storages and views of them.

use crate::graph::TensorId;

/// Channels per quad, the unit of storage: one `vec4<f32>`.
pub const LANES: usize = 4;

/// Quads that hold `channels`.
pub fn quads(channels: usize) -> usize {
    channels.div_ceil(LANES)
}

/// Index of a storage in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StorageId(pub usize);

/// How a tensor lies in its storage.
///
/// The quad `k` of position `(y, x)` of batch item `n` starts at quad
/// `n · item + base + (y · width + x) · stride + slots[k]` of the storage, and logical channel `c` is lane
/// `lanes[c] % 4` of the view's quad `lanes[c] / 4`. Lanes that belong to no channel hold zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The storage.
    pub storage: StorageId,
    /// Height.
    pub height: usize,
    /// Width.
    pub width: usize,
    /// Quads from one batch item to the next.
    pub item: usize,
    /// First quad of the tensor in a batch item.
    pub base: usize,
    /// Quads from one position to the next.
    pub stride: usize,
    /// Slot of each quad.
    pub slots: Vec<u32>,
    /// Lane of each logical channel.
    pub lanes: Vec<u32>,
}

impl View {
    /// Channels of the tensor.
    pub fn channels(&self) -> usize {
        self.lanes.len()
    }
    /// Quads per position.
    pub fn quads(&self) -> usize {
        self.slots.len()
    }
    /// Positions, `height · width`.
    pub fn positions(&self) -> usize {
        self.height * self.width
    }
    /// Whether the quads follow each other.
    pub fn is_contiguous(&self) -> bool {
        self.slots.windows(2).all(|w| w[1] == w[0] + 1)
    }
    /// Whether the quads follow each other and channel `c` is lane `c`.
    pub fn is_plain(&self) -> bool {
        self.is_contiguous() && self.lanes.iter().enumerate().all(|(c, &lane)| c == lane as usize)
    }
    /// Index of the first float of quad `k` at position `p` of batch item `n`.
    pub fn offset(&self, n: usize, p: usize, k: usize) -> usize {
        (n * self.item + self.base + p * self.stride + self.slots[k] as usize) * LANES
    }
    /// Logical channel of each lane, `None` for padding.
    pub fn channel_of_lane(&self) -> Vec<Option<usize>> {
        let mut channels = vec![None; self.quads() * LANES];
        for (c, &lane) in self.lanes.iter().enumerate() {
            channels[lane as usize] = Some(c);
        }
        channels
    }
    /// Which lanes hold a channel.
    pub fn used_lanes(&self) -> Vec<bool> {
        self.channel_of_lane().iter().map(Option::is_some).collect()
    }
    /// From which float of a position each quad goes to which float of a row that has the used lanes only, one after the other.
    /// Used lanes are the first of their quads, so that each quad, copied whole, covers the rest of the one before.
    pub fn moves(&self) -> Vec<(usize, usize)> {
        let mut to = 0;
        let quad = |(&slot, channels): (&u32, &[Option<usize>])| {
            let from = (slot as usize * LANES, to);
            to += channels.iter().flatten().count();
            from
        };
        self.slots.iter().zip(self.channel_of_lane().chunks(LANES)).map(quad).collect()
    }
    /// The tensor `[N, C, H, W]` out of the storage's values.
    pub fn to_nchw(&self, batch: usize, storage: &[f32]) -> Vec<f32> {
        let mut out = Vec::with_capacity(batch * self.channels() * self.positions());
        for n in 0..batch {
            for &lane in &self.lanes {
                for p in 0..self.positions() {
                    out.push(storage[self.offset(n, p, lane as usize / LANES) + lane as usize % LANES]);
                }
            }
        }
        out
    }
    /// Writes `[N, C, H, W]` values into the storage; padding lanes are left alone.
    pub fn write_nchw(&self, batch: usize, values: &[f32], storage: &mut [f32]) {
        let positions = self.positions();
        for n in 0..batch {
            for (c, &lane) in self.lanes.iter().enumerate() {
                for p in 0..positions {
                    storage[self.offset(n, p, lane as usize / LANES) + lane as usize % LANES] =
                        values[(n * self.channels() + c) * positions + p];
                }
            }
        }
    }
}

/// The views of a plan's tensors.
#[derive(Clone, Debug, Default)]
pub struct Views(pub(super) Vec<Option<View>>);

impl Views {
    /// The view of a tensor that a step reads or writes.
    ///
    /// # Panics
    /// If the plan gave the tensor no place: a fault of the planner, never of its input.
    pub fn of(&self, id: TensorId) -> &View {
        self.get(id).unwrap_or_else(|| panic!("tensor {} has no place in the plan", id.0))
    }
    /// The view, if the tensor has a place.
    pub fn get(&self, id: TensorId) -> Option<&View> {
        self.0.get(id.0).and_then(Option::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_leave_out_lanes_without_a_channel() {
        let (slots, lanes) = (vec![7, 2, 3], vec![0, 8, 1, 4, 5, 6]);
        let view = View { storage: StorageId(0), height: 1, width: 1, item: 8, base: 0, stride: 8, slots, lanes };
        assert_eq!(view.moves(), [(28, 0), (8, 2), (12, 5)]);
        let used: Vec<usize> = (0..12).filter(|&lane| view.used_lanes()[lane]).collect();
        assert_eq!(used, [0, 1, 4, 5, 6, 8]);
    }
}
