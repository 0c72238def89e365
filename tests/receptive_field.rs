//! Theoretical receptive fields against brute force, the paper's network and each other.

use fastrand::Rng;
use sklens::graph::{Branch, Graph, GraphBuilder, Op, PixelBox, Pool, PoolKind, SkUnit, TensorId};
use sklens::network::blocks::{AttentionWidth, Groups, SkBranch, SkConv, UnitPlace, sk_unit};
use sklens::network::{ablations, preset, presets};
use std::collections::BTreeSet;

const GRAPHS: usize = 60;

/// A random graph of convolutions, pools, splits, shuffles, residuals and SK units.
fn random_graph(rng: &mut Rng) -> Graph {
    let mut b = GraphBuilder::new([2 * rng.usize(1..=2), rng.usize(9..=17), rng.usize(9..=17)]);
    let mut x = b.picture();
    for i in 0..rng.usize(2..=5) {
        let name = format!("node{i}");
        let [channels, height, width] = b.shape(x);
        let side = height.min(width);
        x = match rng.usize(..6) {
            0 | 1 if side >= 6 => {
                let groups = [1, 2][rng.usize(..2)];
                let branch = Branch { kernel: rng.usize(1..=4), dilation: rng.usize(1..=2), groups };
                let padding = rng.usize(0..=branch.size()).max(branch.size().saturating_sub(side).div_ceil(2));
                b.conv(&name, x, groups * 2, branch, rng.usize(1..=3), padding, false)
            }
            2 if side >= 4 => {
                let (kernel, ceil_mode) = (rng.usize(2..=3), rng.bool());
                let kind = if rng.bool() { PoolKind::Max } else { PoolKind::Average };
                b.pool(&name, x, Pool { kind, kernel, stride: rng.usize(1..=3), padding: rng.usize(0..=1), ceil_mode })
            }
            3 => {
                let taken = rng.usize(1..=channels - 1);
                let left = b.slice(format!("{name}.left"), x, 0, taken).unwrap();
                let right = b.slice(format!("{name}.right"), x, taken, channels - taken).unwrap();
                let branch = Branch { kernel: 3, dilation: 1, groups: 1 };
                let right = b.conv(&format!("{name}.conv"), right, channels - taken, branch, 1, 1, false).unwrap();
                let both = b.concat(format!("{name}.both"), &[left, right]).unwrap();
                b.channel_shuffle(&name, both, if channels.is_multiple_of(2) { 2 } else { 1 })
            }
            4 => {
                let branch = |m| SkBranch { kernel: 3, dilation: m, groups: Groups::Count(1) };
                let attention = Some(AttentionWidth::Reduction { r: 2, l: 2 });
                let sk = SkConv { branches: vec![branch(1), branch(2)], split_input: false, attention };
                let place = UnitPlace { stage: 2, index: i, path: name };
                sk_unit(&mut b, &place, x, 2, rng.usize(1..=2), &sk)
            }
            _ => {
                let branch = Branch { kernel: 2 * rng.usize(1..=2) - 1, dilation: 2, groups: 1 };
                let y = b.conv(&format!("{name}.conv"), x, channels, branch, 1, branch.size() / 2, false).unwrap();
                b.add(&name, &[y, x])
            }
        }
        .unwrap();
    }
    b.finish(x)
}

type Pixels = BTreeSet<[i64; 2]>;

/// The pixels on which channel `c` at `(x, y)` of `id` depends, by walking every path: with `bounded` only positions
/// that exist, otherwise as if feature maps never ended.
fn depends(graph: &Graph, id: TensorId, [c, y, x]: [i64; 3], bounded: bool, pixels: &mut Pixels, seen: &mut Seen) {
    let [_, height, width] = graph.tensor(id).shape.map(|n| n as i64);
    if bounded && !((0..width).contains(&x) && (0..height).contains(&y)) || !seen.insert((id, [c, y, x])) {
        return;
    }
    if id == graph.input {
        pixels.insert([x, y]);
        return;
    }
    let node = graph.producer(id).expect("node");
    let mut go = |input: usize, at| depends(graph, node.inputs[input], at, bounded, pixels, seen);
    let channels = |input: usize| graph.tensor(node.inputs[input]).shape[0] as i64;
    let out = graph.tensor(id).shape[0] as i64;
    match &node.op {
        Op::Conv2d(conv) => {
            let (taken, made) = ((conv.in_channels / conv.groups) as i64, (conv.out_channels / conv.groups) as i64);
            let [stride, padding, dilation] = [conv.stride, conv.padding, conv.dilation].map(|n| n as i64);
            for k in c / made * taken..(c / made + 1) * taken {
                for i in 0..conv.kernel as i64 {
                    for j in 0..conv.kernel as i64 {
                        go(0, [k, y * stride - padding + i * dilation, x * stride - padding + j * dilation]);
                    }
                }
            }
        }
        Op::Pool(pool) => {
            for i in 0..pool.kernel as i64 {
                for j in 0..pool.kernel as i64 {
                    let at = |p: i64, i: i64| p * pool.stride as i64 - pool.padding as i64 + i;
                    go(0, [c, at(y, i), at(x, j)]);
                }
            }
        }
        Op::Slice { start, .. } => go(0, [c + *start as i64, y, x]),
        Op::Concat => {
            let (mut input, mut k) = (0, c);
            while k >= channels(input) {
                k -= channels(input);
                input += 1;
            }
            go(input, [k, y, x]);
        }
        Op::ChannelShuffle { groups } => {
            let groups = *groups as i64;
            go(0, [c % groups * (out / groups) + c / groups, y, x]);
        }
        Op::Select => (1..node.inputs.len()).for_each(|i| go(i, [c, y, x])),
        Op::BatchNorm(_) | Op::Relu | Op::Add => (0..node.inputs.len()).for_each(|i| go(i, [c, y, x])),
        other => panic!("{other:?} is not in these graphs' paths"),
    }
}

type Seen = std::collections::HashSet<(TensorId, [i64; 3])>;

fn brute_force(graph: &Graph, [x, y]: [usize; 2], bounded: bool) -> Option<PixelBox> {
    let (mut pixels, mut seen) = (Pixels::new(), Seen::new());
    for c in 0..graph.tensor(graph.output).shape[0] {
        depends(graph, graph.output, [c as i64, y as i64, x as i64], bounded, &mut pixels, &mut seen);
    }
    let range = |axis: usize| Some((pixels.iter().map(|p| p[axis]).min()?, pixels.iter().map(|p| p[axis]).max()? + 1));
    let ((x0, x1), (y0, y1)) = (range(0)?, range(1)?);
    Some(PixelBox { x0, y0, x1, y1 })
}

#[test]
fn boxes_equal_the_dependencies() {
    let mut rng = Rng::with_seed(11);
    let (mut beyond, mut blind) = (0, 0);
    for case in 0..GRAPHS {
        let graph = random_graph(&mut rng);
        let [_, height, width] = graph.tensor(graph.output).shape;
        for position in [[0, 0], [width - 1, height - 1], [rng.usize(..width), rng.usize(..height)]] {
            let found = graph.receptive_field(graph.output, position).unwrap();
            assert_eq!(Some(found.full), brute_force(&graph, position, false), "graph {case} at {position:?}");
            assert_eq!(found.clipped, brute_force(&graph, position, true), "graph {case} at {position:?}, clipped");
            beyond += usize::from(found.clipped != Some(found.full));
            blind += usize::from(found.clipped.is_none());
        }
        assert!(
            graph
                .receptive_field(graph.output, [width, 0])
                .unwrap_err()
                .message
                .contains(&graph.tensors.last().unwrap().name)
        );
    }
    assert!(beyond > GRAPHS / 2 && beyond < 3 * GRAPHS && blind > 0, "{beyond} reach beyond, {blind} see nothing");
}

fn one_hot(graph: &Graph, branch: impl Fn(&SkUnit) -> usize) -> Vec<Vec<f64>> {
    let shares = |u: &SkUnit| (0..u.branches.len()).map(|m| f64::from(u8::from(m == branch(u)))).collect();
    graph.units.iter().map(shares).collect()
}

#[test]
fn sknet50_sees_what_the_literature_says() {
    let graph = preset("sknet50").unwrap().graph([224, 224], 1000).unwrap();
    let third = graph.units.iter().map(|_| vec![2.0 / 3.0, 1.0 / 3.0]).collect::<Vec<_>>();
    let sizes = graph.field_sizes(&third);
    for (name, smallest, largest) in
        [("SK_2_3", 35.0, 59.0), ("SK_3_4", 91.0, 171.0), ("SK_4_6", 267.0, 523.0), ("SK_5_3", 427.0, 843.0)]
    {
        let found = sizes[graph.units.iter().position(|u| u.name == name).unwrap()];
        assert_eq!((found.smallest, found.largest), (smallest, largest), "{name}");
        assert!((found.expected - (smallest + (largest - smallest) / 3.0)).abs() < 1e-9, "{name}: {found:?}");
    }
    let extremes = graph.field_sizes(&one_hot(&graph, SkUnit::largest));
    assert!(extremes.iter().all(|s| s.expected == s.largest));
    let off = graph.field_sizes(&graph.units.iter().map(|_| vec![0.0; 2]).collect::<Vec<_>>());
    assert!(off.iter().all(|s| s.expected < s.smallest));
}

/// All paths together are as wide as the widest, in every preset.
#[test]
fn largest_sizes_equal_the_boxes() {
    let mut compared = 0;
    for network in presets().into_iter().chain(ablations()) {
        let graph = network.graph([64, 64], 10).unwrap();
        let sizes = graph.field_sizes(&one_hot(&graph, SkUnit::smallest));
        for (unit, sizes) in graph.units.iter().zip(sizes) {
            let PixelBox { x0, y0, x1, y1 } = graph.receptive_field(unit.output, [0, 0]).unwrap().full;
            assert_eq!([(x1 - x0) as f64, (y1 - y0) as f64], [sizes.largest; 2], "{} {}", network.name, unit.name);
            assert!(sizes.smallest <= sizes.largest && sizes.expected == sizes.smallest);
            compared += 1;
        }
    }
    assert!(compared > 200);
}
