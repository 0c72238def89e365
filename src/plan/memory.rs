//! Sharing buffers between storages whose lifetimes do not meet: greedy by size (arXiv 2001.03288).

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

/// The buffer of each storage.
pub(super) fn assign(storages: &[Storage]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..storages.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(storages[i].item));
    let mut tenants: Vec<Vec<usize>> = Vec::new();
    let mut buffers = vec![0; storages.len()];
    for i in order {
        let free = tenants.iter().position(|t| t.iter().all(|&other| !storages[i].meets(&storages[other])));
        let buffer = free.unwrap_or_else(|| {
            tenants.push(Vec::new());
            tenants.len() - 1
        });
        tenants[buffer].push(i);
        buffers[i] = buffer;
    }
    buffers
}

/// Quads of the largest set of storages that are alive at one step: no assignment can need less.
pub fn lower_bound(storages: &[Storage]) -> usize {
    let end = storages.iter().map(|s| s.last).max().unwrap_or(0);
    (0..=end)
        .map(|step| storages.iter().filter(|s| (s.first..=s.last).contains(&step)).map(|s| s.item).sum())
        .max()
        .unwrap_or(0)
}
