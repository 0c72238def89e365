//! The reference: a naive interpreter of the unfused graph, NCHW, in f64.

// Named by its path, because some tests include this file on its own.
#[path = "interpreter/backward.rs"]
mod backward;

use sklens::graph::{Conv2d, Graph, Op, PoolKind, TensorId};
use sklens::weights::generated::fill;
use std::collections::HashMap;

/// `[N, C, H, W]` values per tensor.
pub type Tensors = HashMap<TensorId, Vec<f64>>;

/// A weight by name and shape, as [`fill`] makes it.
fn weight(name: &str, shape: &[usize]) -> Vec<f64> {
    fill(name, shape).into_iter().map(f64::from).collect()
}

/// Every tensor of `graph` for the given inputs and generated weights.
pub fn interpret(graph: &Graph, batch: usize, inputs: &Tensors) -> Tensors {
    interpret_with(graph, batch, inputs, &weight)
}

/// Every tensor of `graph` for the given inputs and weights.
pub fn interpret_with(
    graph: &Graph,
    batch: usize,
    inputs: &Tensors,
    weight: &dyn Fn(&str, &[usize]) -> Vec<f64>,
) -> Tensors {
    let mut all = inputs.clone();
    for node in &graph.nodes {
        let x = |i: usize| &all[&node.inputs[i]];
        let shape = |i: usize| graph.tensor(node.inputs[i]).shape;
        let [c, h, w] = graph.tensor(node.output).shape;
        let plane = h * w;
        let y = match &node.op {
            Op::Input => continue,
            Op::Conv2d(conv) => {
                let kernel = weight(&conv.weight, &[c, conv.in_channels / conv.groups, conv.kernel, conv.kernel]);
                let bias = conv.bias.as_ref().map(|b| weight(b, &[c]));
                convolve(conv, x(0), batch, shape(0), [h, w], &kernel, bias.as_deref())
            }
            Op::BatchNorm(bn) => {
                let get = |suffix: &str| weight(&format!("{}.{suffix}", bn.prefix), &[c]);
                let (g, b, mean, var) = (get("weight"), get("bias"), get("running_mean"), get("running_var"));
                let norm = |(i, v): (usize, &f64)| {
                    let k = i / plane % c;
                    (v - mean[k]) / (var[k] + f64::from(bn.epsilon)).sqrt() * g[k] + b[k]
                };
                x(0).iter().enumerate().map(norm).collect()
            }
            Op::Relu => x(0).iter().map(|v| v.max(0.0)).collect(),
            Op::Sigmoid => x(0).iter().map(|v| 1.0 / (1.0 + (-v).exp())).collect(),
            Op::Add => (0..batch * c * plane).map(|i| (0..node.inputs.len()).map(|k| x(k)[i]).sum()).collect(),
            Op::Pool(pool) => {
                let [_, ih, iw] = shape(0);
                let mut y = vec![f64::NAN; batch * c * plane];
                for nc in 0..batch * c {
                    for oy in 0..h {
                        for ox in 0..w {
                            let mut window = Vec::new();
                            for ky in 0..pool.kernel {
                                for kx in 0..pool.kernel {
                                    let (py, px) = (oy * pool.stride + ky, ox * pool.stride + kx);
                                    let (Some(iy), Some(ix)) =
                                        (py.checked_sub(pool.padding), px.checked_sub(pool.padding))
                                    else {
                                        continue;
                                    };
                                    if iy < ih && ix < iw {
                                        window.push(x(0)[(nc * ih + iy) * iw + ix]);
                                    }
                                }
                            }
                            y[(nc * h + oy) * w + ox] = match pool.kind {
                                PoolKind::Max => window.into_iter().fold(f64::NEG_INFINITY, f64::max),
                                PoolKind::Average => window.iter().sum::<f64>() / window.len() as f64,
                            };
                        }
                    }
                }
                y
            }
            Op::GlobalAveragePool => {
                let [_, ih, iw] = shape(0);
                x(0).chunks(ih * iw).map(|p| p.iter().sum::<f64>() / (ih * iw) as f64).collect()
            }
            Op::Linear(l) => {
                let mut dims = vec![l.out_features, l.in_features];
                if l.as_conv {
                    dims.extend([1, 1]);
                }
                let m = weight(&l.weight, &dims);
                let bias = l.bias.as_ref().map(|b| weight(b, &[l.out_features]));
                let row = |x: &[f64], o: usize| {
                    let dot: f64 = x.iter().zip(&m[o * l.in_features..]).map(|(a, b)| a * b).sum();
                    dot + bias.as_ref().map_or(0.0, |b| b[o])
                };
                x(0).chunks(l.in_features)
                    .flat_map(|x| (0..l.out_features).map(move |o| (x, o)))
                    .map(|(x, o)| row(x, o))
                    .collect()
            }
            Op::BranchSoftmax { branches } => softmax(x(0), *branches, c / branches),
            Op::Override { .. } => {
                let pick = |(i, a): (usize, &f64)| {
                    let o = &x(1)[i / c * 2 * c..];
                    if o[c + i % c] != 0.0 { o[i % c] } else { *a }
                };
                x(0).iter().enumerate().map(pick).collect()
            }
            Op::Select => {
                let m = node.inputs.len() - 1;
                let value = |i: usize| {
                    let (n, k) = (i / (c * plane), i / plane % c);
                    (0..m).map(|b| x(0)[(n * m + b) * c + k] * x(b + 1)[i]).sum()
                };
                (0..batch * c * plane).map(value).collect()
            }
            Op::Slice { start, count } => {
                let from = shape(0)[0];
                pick_channels(x(0), from, plane, &(*start..start + count).collect::<Vec<_>>())
            }
            Op::Concat => {
                let mut y = Vec::new();
                for n in 0..batch {
                    for k in 0..node.inputs.len() {
                        let size = shape(k)[0] * plane;
                        y.extend(&x(k)[n * size..(n + 1) * size]);
                    }
                }
                y
            }
            Op::ChannelShuffle { groups } => {
                let order: Vec<_> = (0..c).map(|o| (o % groups) * (c / groups) + o / groups).collect();
                pick_channels(x(0), c, plane, &order)
            }
            op => {
                let inputs: Vec<_> =
                    (0..node.inputs.len()).map(|i| backward::Operand { values: x(i), shape: shape(i) }).collect();
                backward::interpret(op, batch, &inputs, [c, h, w], weight)
            }
        };
        all.insert(node.output, y);
    }
    all
}

fn pick_channels(x: &[f64], channels: usize, plane: usize, order: &[usize]) -> Vec<f64> {
    x.chunks(channels * plane)
        .flat_map(|item| order.iter().flat_map(|&c| item[c * plane..(c + 1) * plane].to_vec()))
        .collect()
}

fn softmax(x: &[f64], branches: usize, channels: usize) -> Vec<f64> {
    let mut y = vec![0.0; x.len()];
    for (x, y) in x.chunks(branches * channels).zip(y.chunks_mut(branches * channels)) {
        for c in 0..channels {
            let max = (0..branches).map(|m| x[m * channels + c]).fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = (0..branches).map(|m| (x[m * channels + c] - max).exp()).sum();
            (0..branches).for_each(|m| y[m * channels + c] = (x[m * channels + c] - max).exp() / sum);
        }
    }
    y
}

fn convolve(
    conv: &Conv2d,
    x: &[f64],
    batch: usize,
    [ic, ih, iw]: [usize; 3],
    [h, w]: [usize; 2],
    kernel: &[f64],
    bias: Option<&[f64]>,
) -> Vec<f64> {
    let (k, per_group) = (conv.kernel, conv.in_channels / conv.groups);
    let mut y = Vec::with_capacity(batch * conv.out_channels * h * w);
    for n in 0..batch {
        for o in 0..conv.out_channels {
            let first = o / (conv.out_channels / conv.groups) * per_group;
            let mut plane = vec![bias.map_or(0.0, |b| b[o]); h * w];
            for i in 0..per_group {
                let input = &x[(n * ic + first + i) * ih * iw..][..ih * iw];
                for ky in 0..k {
                    for kx in 0..k {
                        let weight = kernel[((o * per_group + i) * k + ky) * k + kx];
                        for oy in 0..h {
                            let Some(iy) = (oy * conv.stride + ky * conv.dilation).checked_sub(conv.padding) else {
                                continue;
                            };
                            if iy >= ih {
                                continue;
                            }
                            for ox in 0..w {
                                let Some(ix) = (ox * conv.stride + kx * conv.dilation).checked_sub(conv.padding) else {
                                    continue;
                                };
                                if ix < iw {
                                    plane[oy * w + ox] += weight * input[iy * iw + ix];
                                }
                            }
                        }
                    }
                }
            }
            y.extend(plane);
        }
    }
    y
}
