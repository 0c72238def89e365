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

/// Orders that are tried, unless one comes near the lower bound sooner.
const TRIALS: u64 = 400;
/// Quads over the lower bound that end the search.
const NEAR: f64 = 1.05;
/// Part of the weights that changes from the best order to the next trial.
const CHANGED: f64 = 0.1;
/// Largest ratio of two weights.
const SPREAD: f64 = 8.0;

/// The buffer of each storage: the best of greedy assignments in many orders, the first by size, each later one by size
/// with some weights of the best one changed at random.
pub(super) fn assign(storages: &[Storage]) -> Vec<usize> {
    let enough = (lower_bound(storages) as f64 * NEAR) as usize;
    let mut keys: Vec<f64> = storages.iter().map(|s| s.item as f64).collect();
    let mut order: Vec<usize> = (0..storages.len()).collect();
    sort_descending(&mut order, &keys);
    let mut best = assign_in_order(storages, &order);
    let mut random = (0..).map(noise);
    for _ in 0..TRIALS {
        if best.0 <= enough {
            break;
        }
        let mut changed = keys.clone();
        for ((key, storage), (choice, weight)) in changed.iter_mut().zip(storages).zip(pairs(&mut random)) {
            if choice < CHANGED {
                *key = storage.item as f64 * SPREAD.powf(weight);
            }
        }
        sort_descending(&mut order, &changed);
        let found = assign_in_order(storages, &order);
        // Ties move on too: they lead out of dead ends.
        if found.0 <= best.0 {
            (best, keys) = (found, changed);
        }
    }
    best.1
}

/// Sorts storages by their keys.
fn sort_descending(order: &mut [usize], keys: &[f64]) {
    order.sort_by(|&a, &b| keys[b].total_cmp(&keys[a]));
}

fn pairs(random: &mut impl Iterator<Item = f64>) -> impl Iterator<Item = (f64, f64)> {
    std::iter::from_fn(|| random.next().zip(random.next()))
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
