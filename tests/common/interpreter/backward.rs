//! The operators of backward passes, by their definitions.

use sklens::graph::{Conv2d, Op, Pool, PoolKind};

/// `[N, C, H, W]` values and their `[C, H, W]`.
pub struct Operand<'a> {
    pub values: &'a [f64],
    pub shape: [usize; 3],
}

pub fn interpret(
    op: &Op,
    batch: usize,
    inputs: &[Operand],
    output: [usize; 3],
    weight: &dyn Fn(&str, &[usize]) -> Vec<f64>,
) -> Vec<f64> {
    let [c, h, w] = output;
    let g = inputs[0].values;
    let by = || g.iter().zip(inputs[1].values);
    match op {
        Op::ConvTranspose2d(conv) => {
            let kernel =
                weight(&conv.weight, &[conv.out_channels, conv.in_channels / conv.groups, conv.kernel, conv.kernel]);
            transpose(conv, g, batch, inputs[0].shape, [h, w], &kernel)
        }
        Op::BatchNormBackward(bn) => {
            let [gamma, var] = ["weight", "running_var"].map(|s| weight(&format!("{}.{s}", bn.prefix), &[c]));
            let scale = |k: usize| gamma[k] / (var[k] + f64::from(bn.epsilon)).sqrt();
            g.iter().enumerate().map(|(i, g)| g * scale(i / (h * w) % c)).collect()
        }
        Op::ReluBackward => by().map(|(g, x)| if *x > 0.0 { *g } else { 0.0 }).collect(),
        Op::SigmoidBackward => by().map(|(g, s)| g * s * (1.0 - s)).collect(),
        Op::ScaledProduct => by().map(|(g, x)| g * x * (h * w) as f64).collect(),
        Op::PoolBackward(pool) => unpool(pool, g, inputs[1].values, batch * c, inputs[0].shape, [h, w]),
        Op::GlobalAveragePoolBackward => {
            g.iter().flat_map(|g| std::iter::repeat_n(g / (h * w) as f64, h * w)).collect()
        }
        Op::LinearTranspose(l) => {
            let mut dims = vec![l.out_features, l.in_features];
            if l.as_conv {
                dims.extend([1, 1]);
            }
            let m = weight(&l.weight, &dims);
            let column = |g: &[f64], i: usize| g.iter().enumerate().map(|(o, g)| g * m[o * l.in_features + i]).sum();
            g.chunks(l.out_features)
                .flat_map(|g| (0..l.in_features).map(move |i| (g, i)))
                .map(|(g, i)| column(g, i))
                .collect()
        }
        Op::BranchSoftmaxBackward { branches } => {
            let a = inputs[1].values;
            let per_branch = c / branches;
            let value = |i: usize| {
                let first = i / c * c + i % per_branch;
                let mean: f64 = (0..*branches).map(|m| first + m * per_branch).map(|j| a[j] * g[j]).sum();
                a[i] * (g[i] - mean)
            };
            (0..g.len()).map(value).collect()
        }
        Op::OverrideBackward { .. } => {
            let masked = |i: usize| inputs[1].values[i / c * 2 * c + c + i % c] != 0.0;
            g.iter().enumerate().map(|(i, g)| if masked(i) { 0.0 } else { *g }).collect()
        }
        Op::SliceBackward { start } => {
            let (count, plane) = (inputs[0].shape[0], h * w);
            let mut y = vec![0.0; batch * c * plane];
            for (n, item) in g.chunks(count * plane).enumerate() {
                y[(n * c + start) * plane..][..count * plane].copy_from_slice(item);
            }
            y
        }
        op => panic!("{op:?} is no operator of a backward pass"),
    }
}

/// Adds each output's gradient to the inputs that it was computed from.
fn transpose(
    conv: &Conv2d,
    g: &[f64],
    batch: usize,
    [oc, oh, ow]: [usize; 3],
    [h, w]: [usize; 2],
    kernel: &[f64],
) -> Vec<f64> {
    let (k, per_group) = (conv.kernel, conv.in_channels / conv.groups);
    let inside = |o: usize, tap: usize, size: usize| {
        (o * conv.stride + tap * conv.dilation).checked_sub(conv.padding).filter(|&i| i < size)
    };
    let mut y = vec![0.0; batch * conv.in_channels * h * w];
    for (i, g) in g.iter().enumerate() {
        let (n, o, oy, ox) = (i / (oc * oh * ow), i / (oh * ow) % oc, i / ow % oh, i % ow);
        let first = o / (oc / conv.groups) * per_group;
        for tap in 0..k * k {
            let (Some(iy), Some(ix)) = (inside(oy, tap / k, h), inside(ox, tap % k, w)) else { continue };
            for j in 0..per_group {
                y[((n * conv.in_channels + first + j) * h + iy) * w + ix] +=
                    g * kernel[(o * per_group + j) * k * k + tap];
            }
        }
    }
    y
}

fn unpool(pool: &Pool, g: &[f64], x: &[f64], planes: usize, [_, oh, ow]: [usize; 3], [h, w]: [usize; 2]) -> Vec<f64> {
    let mut y = vec![0.0; planes * h * w];
    for (i, g) in g.iter().enumerate() {
        let (plane, oy, ox) = (i / (oh * ow), i / ow % oh, i % ow);
        let inside = |o: usize, size: usize| {
            (0..pool.kernel)
                .filter_map(move |k| (o * pool.stride + k).checked_sub(pool.padding))
                .filter(move |&i| i < size)
        };
        let window: Vec<usize> =
            inside(oy, h).flat_map(|iy| inside(ox, w).map(move |ix| (plane * h + iy) * w + ix)).collect();
        match pool.kind {
            PoolKind::Max => {
                let largest = window.iter().map(|&i| x[i]).fold(f64::NEG_INFINITY, f64::max);
                let first = window.iter().find(|&&i| x[i] == largest).expect("a window is never empty");
                y[*first] += g;
            }
            PoolKind::Average => window.iter().for_each(|&i| y[i] += g / window.len() as f64),
        }
    }
    y
}
