//! Sharing buffers between storages whose lifetimes do not meet: greedy by size (arXiv 2001.03288), in many orders.

/// Memory for one or more tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Quads of one batch item.
    pub item: usize,
    /// First step that writes it.
    pub first: usize,
    /// Last step that reads it; past the last step if it is read back.
    pub last: usize,
}

impl Storage {
    fn meets(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// Orders that are tried; more find little.
const TRIALS: u64 = 60;
/// Largest ratio of two weights.
const SPREAD: f64 = 8.0;

/// The buffer of each storage: the best of greedy assignments in many orders, the first by size, the others by size with
/// random weights.
pub(super) fn assign(storages: &[Storage]) -> Vec<usize> {
    let bound = lower_bound(storages);
    let mut best = (usize::MAX, Vec::new());
    for trial in 0..TRIALS {
        let weight =
            |i: usize| if trial == 0 { 1.0 } else { SPREAD.powf(noise(trial * storages.len() as u64 + i as u64)) };
        let keys: Vec<f64> = storages.iter().enumerate().map(|(i, s)| s.item as f64 * weight(i)).collect();
        let mut order: Vec<usize> = (0..storages.len()).collect();
        order.sort_by(|&a, &b| keys[b].total_cmp(&keys[a]));
        let found = assign_in_order(storages, &order);
        if found.0 < best.0 {
            best = found;
        }
        if best.0 == bound {
            break;
        }
    }
    best.1
}

/// Quads of all buffers and the buffer of each storage: each takes the free buffer that must grow least, then the one
/// that it fits most tightly.
fn assign_in_order(storages: &[Storage], order: &[usize]) -> (usize, Vec<usize>) {
    let mut tenants: Vec<Vec<usize>> = Vec::new();
    let mut sizes: Vec<usize> = Vec::new();
    let mut buffers = vec![0; storages.len()];
    for &i in order {
        let item = storages[i].item;
        let is_free = |&b: &usize| tenants[b].iter().all(|&other| !storages[i].meets(&storages[other]));
        let free = (0..sizes.len()).filter(is_free);
        let buffer = free.min_by_key(|&b| (item.saturating_sub(sizes[b]), sizes[b])).unwrap_or_else(|| {
            tenants.push(Vec::new());
            sizes.push(0);
            sizes.len() - 1
        });
        tenants[buffer].push(i);
        sizes[buffer] = sizes[buffer].max(item);
        buffers[i] = buffer;
    }
    (sizes.iter().sum(), buffers)
}

/// A repeatable number in [0, 1): splitmix64.
fn noise(n: u64) -> f64 {
    let z = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Quads of the largest set of storages that are alive at one step: no assignment can need less.
pub fn lower_bound(storages: &[Storage]) -> usize {
    let end = storages.iter().map(|s| s.last).max().unwrap_or(0);
    (0..=end)
        .map(|step| storages.iter().filter(|s| (s.first..=s.last).contains(&step)).map(|s| s.item).sum())
        .max()
        .unwrap_or(0)
}
