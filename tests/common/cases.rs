//! Random small graphs for every kernel family, also outside what the presets use.

use super::Case;
use fastrand::Rng;
use sklens::graph::{Branch, Graph, GraphBuilder, Pool, PoolKind, TensorId};
use sklens::network::blocks::{AttentionWidth, Groups, SkBranch, SkConv, UnitPlace, sk_unit, squeeze_excite};
use sklens::plan::PlanOptions;

/// A named family of random cases.
pub type Family = (&'static str, fn(&mut Rng) -> Case);

/// Every family.
pub const FAMILIES: &[Family] = &[
    ("elementwise", elementwise),
    ("convolution", convolution),
    ("large convolution", large_convolution),
    ("convolution of views", convolution_of_views),
    ("residual", residual),
    ("pool", pool),
    ("classifier", classifier),
    ("sk unit", unit),
    ("fused sk unit", fused_unit),
    ("mixed sk unit", mixed_unit),
    ("squeeze and excite", gated),
    ("softmax and select", softmax_and_select),
    ("shuffle", shuffle),
];

/// `count` cases of a family; `seed` makes them repeatable.
pub fn cases(family: &Family, seed: u64, count: usize) -> impl Iterator<Item = Case> + use<> {
    let (_, make) = *family;
    let mut rng = Rng::with_seed(seed);
    (0..count).map(move |_| make(&mut rng))
}

fn case(name: String, graph: Graph, rng: &mut Rng) -> Case {
    Case { name, graph, options: PlanOptions::batch(rng.usize(1..=3)), overrides: Vec::new() }
}

fn start(rng: &mut Rng) -> (GraphBuilder, TensorId, [usize; 3]) {
    let shape = [rng.usize(1..=37), rng.usize(5..=19), rng.usize(5..=19)];
    let b = GraphBuilder::new(shape);
    let x = b.picture();
    (b, x, shape)
}

fn divisor(rng: &mut Rng, n: usize) -> usize {
    let divisors: Vec<_> = (1..=n).filter(|d| n.is_multiple_of(*d)).collect();
    divisors[rng.usize(..divisors.len())]
}

fn elementwise(rng: &mut Rng) -> Case {
    let (mut b, x, shape) = start(rng);
    let y = b.batch_norm("bn", x);
    let z = b.relu("relu", y);
    let terms = [x, y, z, x, y][..rng.usize(2..=5)].to_vec();
    let out = b.add("sum", &terms).unwrap();
    let out = match rng.usize(..3) {
        0 => b.relu("out", out),
        1 => b.sigmoid("out", out),
        _ => out,
    };
    let graph = b.finish(out);
    case(format!("elementwise {shape:?}, {} terms", terms.len()), graph, rng)
}

fn random_conv(b: &mut GraphBuilder, name: &str, x: TensorId, rng: &mut Rng) -> TensorId {
    let channels = b.shape(x)[0];
    let kernel = [1, 3, 5, 7, 2][rng.usize(..5)];
    let groups = if rng.bool() { 1 } else { divisor(rng, channels) };
    let dilation = if kernel > 3 { 1 } else { rng.usize(1..=2) };
    let out = groups * if groups == channels && rng.bool() { 1 } else { rng.usize(1..=(40 / groups).max(1)) };
    let branch = Branch { kernel, dilation, groups };
    let padding = rng
        .usize(0..=branch.size() / 2)
        .max((branch.size()).saturating_sub(b.shape(x)[1].min(b.shape(x)[2])).div_ceil(2));
    b.conv(name, x, out, branch, rng.usize(1..=3), padding, rng.bool()).unwrap()
}

fn convolution(rng: &mut Rng) -> Case {
    let (mut b, x, shape) = start(rng);
    let mut y = random_conv(&mut b, "conv", x, rng);
    if rng.bool() {
        y = b.batch_norm("bn", y);
    }
    if rng.bool() {
        y = b.relu("relu", y);
    }
    let graph = b.finish(y);
    case(format!("{:?} of {shape:?}", graph.nodes[1].op), graph, rng)
}

/// So many outputs that shaders use their largest tiles, or images smaller than the window.
fn large_convolution(rng: &mut Rng) -> Case {
    let groups = rng.usize(1..=6);
    let side = |rng: &mut Rng| if rng.u8(..4) == 0 { rng.usize(1..=3) } else { rng.usize(39..=45) };
    let shape = [groups * rng.usize(1..=3), side(rng), side(rng)];
    let mut b = GraphBuilder::new(shape);
    let x = b.picture();
    let branch = Branch { kernel: [1, 2, 3][rng.usize(..3)], dilation: rng.usize(1..=3), groups };
    let padding = branch.size() / 2 + rng.usize(0..=1);
    let y = b.conv("conv", x, groups * rng.usize(64 / groups..=80 / groups), branch, 1, padding, true).unwrap();
    let y = b.relu("relu", y);
    let graph = b.finish(y);
    case(format!("{:?} of {shape:?}", graph.nodes[1].op), graph, rng)
}

/// Convolutions that read slices and shuffles, whole or in part, and write into concatenations, with residuals.
fn convolution_of_views(rng: &mut Rng) -> Case {
    let (mut b, x, shape) = start(rng);
    let one = Branch { kernel: 1, dilation: 1, groups: 1 };
    let widths: Vec<_> = (0..rng.usize(2..=3)).map(|_| rng.usize(1..=14)).collect();
    let total: usize = widths.iter().sum();
    let parts: Vec<_> = widths
        .iter()
        .enumerate()
        .map(|(i, &width)| b.conv(&format!("part{i}"), x, width, one, 1, 0, rng.bool()).unwrap())
        .collect();
    let mut all = b.concat("concat", &parts).unwrap();
    let groups = divisor(rng, total);
    all = b.channel_shuffle("shuffle", all, groups).unwrap();
    let start = rng.usize(..total);
    let count = rng.usize(1..=total - start);
    let slice = b.slice("slice", all, start, count).unwrap();
    let out = match rng.usize(..4) {
        0 => random_conv(&mut b, "any", slice, rng),
        1 => {
            let branch = Branch { kernel: 3, dilation: rng.usize(1..=3), groups: count };
            b.conv("depthwise", slice, count, branch, rng.usize(1..=2), rng.usize(1..=3), true).unwrap()
        }
        2 => {
            let y = b.conv("whole", all, rng.usize(1..=30), one, rng.usize(1..=2), 0, false).unwrap();
            b.relu("relu", y)
        }
        _ => {
            let kernel = [1, 3][rng.usize(..2)];
            let branch = Branch { kernel, dilation: 1, groups: if rng.bool() { 1 } else { divisor(rng, total) } };
            let y = b.conv("residual", all, total, branch, 1, kernel / 2, false).unwrap();
            b.add("sum", &[all, y]).unwrap()
        }
    };
    let graph = b.finish(out);
    let name =
        format!("views of {widths:?} of {shape:?}, {groups} groups, {start} + {count}, {}", graph.tensor(out).name);
    let mut case = case(name, graph, rng);
    if rng.u8(..3) == 0 {
        case.options.retain.push("slice".into());
    }
    case
}

fn residual(rng: &mut Rng) -> Case {
    let (mut b, x, shape) = start(rng);
    let groups = if rng.bool() { 1 } else { divisor(rng, shape[0]) };
    let branch = Branch { kernel: [1, 3, 5][rng.usize(..3)], dilation: rng.usize(1..=3), groups };
    let y = b.conv("conv", x, shape[0], branch, 1, (branch.size() - 1) / 2, false).unwrap();
    let y = b.batch_norm("bn", y);
    let y = b.add("add", &[y, x]).unwrap();
    let y = if rng.bool() { b.relu("relu", y) } else { y };
    let graph = b.finish(y);
    case(format!("residual {branch:?} of {shape:?}"), graph, rng)
}

fn pool(rng: &mut Rng) -> Case {
    let (mut b, x, shape) = start(rng);
    let kernel = rng.usize(1..=5);
    let kind = if rng.bool() { PoolKind::Max } else { PoolKind::Average };
    let pool =
        Pool { kind, kernel, stride: rng.usize(1..=3), padding: rng.usize(0..=kernel / 2), ceil_mode: rng.bool() };
    let name = format!("{pool:?} of {shape:?}");
    let y = b.pool("pool", x, pool).unwrap();
    let y = if rng.bool() { b.global_average_pool("mean", y) } else { y };
    let graph = b.finish(y);
    case(name, graph, rng)
}

fn classifier(rng: &mut Rng) -> Case {
    let (mut b, x, shape) = start(rng);
    let y = b.global_average_pool("mean", x);
    let hidden = rng.usize(1..=70);
    let y = b.linear("hidden", y, hidden, rng.bool(), rng.bool()).unwrap();
    let y = b.batch_norm("bn", y);
    let y = b.relu("relu", y);
    let y = b.linear("fc", y, rng.usize(1..=50), true, false).unwrap();
    let graph = b.finish(y);
    case(format!("classifier of {shape:?}, hidden {hidden}"), graph, rng)
}

fn unit(rng: &mut Rng) -> Case {
    let (b, _, _) = start(rng);
    let hidden = ["unit.sum", "unit.paths.0.conv", "unit.paths.0.bn", "unit.attn.bn", "unit.attn.fc_reduce", "unit"];
    let tail = rng.bool();
    sk_case(rng, b, &hidden, tail)
}

/// Units whose fusions all hold, some with more channels than a workgroup has threads for.
fn fused_unit(rng: &mut Rng) -> Case {
    let b = match rng.usize(..5) {
        0 => GraphBuilder::new([rng.usize(1000..=1100), rng.usize(3..=5), rng.usize(3..=5)]),
        _ => start(rng).0,
    };
    sk_case(rng, b, &["unit.sum", "unit", "unit.attn.act", "unit.paths.0.act"], false)
}

/// A unit of what `b` reads, with some of the tensors in `hidden` retained and maybe a 1×1 convolution as `tail`.
fn sk_case(rng: &mut Rng, b: GraphBuilder, hidden: &[&str], tail: bool) -> Case {
    let channels = b.shape(b.picture())[0];
    let branches = rng.usize(1..=3);
    let kernel = [3, 3, 3, 5, 1][rng.usize(..5)];
    let kernels: Vec<_> = (0..branches).map(|m| if rng.u8(..5) == 0 { (3, 1) } else { (kernel, m + 1) }).collect();
    let groups = if rng.bool() { None } else { Some(divisor(rng, channels)) }.filter(|g| channels / g <= 64);
    let groups = groups.map_or(Groups::Depthwise, Groups::Count);
    let branches = kernels.into_iter().map(|(kernel, dilation)| SkBranch { kernel, dilation, groups }).collect();
    let attention = Some(AttentionWidth::Reduction { r: rng.usize(1..=4), l: rng.usize(1..=9) });
    unit_case(rng, b, channels, SkConv { branches, split_input: false, attention }, hidden, tail)
}

/// Units whose branches differ in kernel and groups, read parts of the input, widen it, or are summed without attention.
fn mixed_unit(rng: &mut Rng) -> Case {
    let branches = rng.usize(1..=4);
    let common = rng.usize(1..=4);
    let shape = [branches * common * rng.usize(1..=4), rng.usize(7..=15), rng.usize(7..=15)];
    let channels = common * rng.usize(1..=9);
    let split_input = rng.bool();
    let branches = (0..branches)
        .map(|_| SkBranch {
            kernel: [1, 3, 5, 7][rng.usize(..4)],
            dilation: rng.usize(1..=2),
            groups: Groups::Count(divisor(rng, common)),
        })
        .collect();
    let attention = rng.bool().then(|| AttentionWidth::Divisible {
        r: rng.usize(1..=4),
        divisor: rng.usize(1..=8),
        may_shrink: true,
    });
    let sk = SkConv { branches, split_input, attention };
    let tail = rng.bool();
    unit_case(rng, GraphBuilder::new(shape), channels, sk, &["unit", "unit.paths.0.act"], tail)
}

/// Squeeze-and-excitation of a convolution's result, with a residual or in a concatenation.
fn gated(rng: &mut Rng) -> Case {
    let (mut b, x, shape) = start(rng);
    let y = b.conv("conv", x, shape[0], Branch { kernel: 3, dilation: 1, groups: 1 }, 1, 1, false).unwrap();
    let y = b.relu("relu", y);
    let width = AttentionWidth::Reduction { r: rng.usize(1..=4), l: rng.usize(1..=9) };
    let y = squeeze_excite(&mut b, &UnitPlace { stage: 2, index: 1, path: "se".into() }, y, &width).unwrap();
    let y = match rng.usize(..3) {
        0 => b.add("add", &[y, x]).unwrap(),
        1 => {
            let both = b.concat("concat", &[x, y]).unwrap();
            let both = b.channel_shuffle("shuffle", both, 2).unwrap();
            b.conv("after", both, 9, Branch { kernel: 1, dilation: 1, groups: 1 }, 1, 0, false).unwrap()
        }
        _ => y,
    };
    let graph = b.finish(y);
    let mut case = case(format!("squeeze-excite of {shape:?} with {width:?}"), graph, rng);
    if rng.u8(..3) == 0 {
        case.options.retain.push("se.gate".into());
    }
    case
}

/// `sk` of what `b` reads, to `channels`.
fn unit_case(rng: &mut Rng, mut b: GraphBuilder, channels: usize, sk: SkConv, hidden: &[&str], tail: bool) -> Case {
    let x = b.picture();
    let shape = b.shape(x);
    let place = UnitPlace { stage: 2, index: 1, path: "unit".into() };
    let stride = rng.usize(1..=3);
    let mut y = sk_unit(&mut b, &place, x, channels, stride, &sk).unwrap();
    if tail {
        y = b.conv("after", y, rng.usize(1..=33), Branch { kernel: 1, dilation: 1, groups: 1 }, 1, 0, false).unwrap();
        y = b.batch_norm("after.bn", y);
    }
    let graph = b.finish(y);
    let mut case = case(format!("{sk:?} stride {stride} of {shape:?}"), graph, rng);
    case.options.fold_select = rng.bool();
    case.options.retain = hidden.iter().filter(|_| rng.u8(..8) == 0).map(|n| n.to_string()).collect();
    if rng.bool() && sk.attention.is_some() {
        let size = sk.branches.len() * channels;
        let values = (0..case.options.batch).flat_map(|_| {
            let values: Vec<_> = (0..size).map(|_| rng.f32() * 2.0 - 0.5).collect();
            let mask: Vec<_> = (0..size).map(|_| f32::from(rng.bool())).collect();
            [values, mask].concat()
        });
        case.overrides = vec![(case.graph.units[0].override_input, values.collect())];
    }
    case.name += &format!(", {:?}", case.options);
    case
}

/// Softmax and Select outside a unit, of branches that lie in separate storages, one of them used twice.
fn softmax_and_select(rng: &mut Rng) -> Case {
    let (branches, channels) = (rng.usize(1..=5), rng.usize(1..=37));
    let mut b = GraphBuilder::new([branches * channels, 1, 1]);
    let logits = b.picture();
    let attention = b.branch_softmax("softmax", logits, branches).unwrap();
    let mut inputs: Vec<_> = (0..branches)
        .map(|m| {
            let part = b.slice(format!("part{m}"), logits, m * channels, channels).unwrap();
            if rng.bool() { b.batch_norm(&format!("bn{m}"), part) } else { part }
        })
        .collect();
    if branches > 1 && rng.bool() {
        inputs[1] = inputs[0];
    }
    let selected = b.select("selected", attention, &inputs).unwrap();
    let graph = b.finish(selected);
    let mut case = case(format!("select of {branches} branches, {channels} channels"), graph, rng);
    if rng.bool() {
        case.options.retain.push("softmax".into());
    }
    case
}

/// Two ShuffleNet-like units and a tail, with widths that are no multiple of four.
fn shuffle(rng: &mut Rng) -> Case {
    let (mut b, x, shape) = start(rng);
    let half = rng.usize(1..=21);
    let one = Branch { kernel: 1, dilation: 1, groups: 1 };
    let mut left = b.conv("left", x, half, one, 1, 0, false).unwrap();
    let mut right = b.conv("right", x, half, one, 1, 0, true).unwrap();
    let mut both = left;
    let units = rng.usize(1..=4);
    for i in 0..units {
        if rng.bool() {
            right = b.relu(format!("relu{i}"), right);
        }
        both = b.concat(format!("concat{i}"), &[left, right]).unwrap();
        both = b.channel_shuffle(format!("shuffle{i}"), both, 2).unwrap();
        left = b.slice(format!("slice{i}.0"), both, 0, half).unwrap();
        right = b.slice(format!("slice{i}.1"), both, half, half).unwrap();
        right = b.conv(&format!("conv{i}"), right, half, one, 1, 0, false).unwrap();
        let depthwise = Branch { kernel: 3, dilation: 1, groups: half };
        right = b.conv(&format!("dw{i}"), right, half, depthwise, 1, 1, false).unwrap();
        if rng.u8(..4) != 0 {
            right = b.conv(&format!("last{i}"), right, half, one, 1, 0, true).unwrap();
        }
    }
    let tail = match rng.usize(..4) {
        0 => b.conv("tail", both, 2 * half, Branch { kernel: 3, dilation: 1, groups: 2 * half }, 2, 1, false).unwrap(),
        1 => b.conv("tail", both, 13, Branch { kernel: 3, dilation: 1, groups: 1 }, 1, 1, false).unwrap(),
        2 => b.conv("tail", both, 9, one, 2, 0, true).unwrap(),
        _ => b.concat("tail", &[left, right]).unwrap(),
    };
    let tail = if rng.bool() && b.shape(tail)[0] == 2 * half {
        b.conv("end", tail, 7, one, 1, 0, false).unwrap()
    } else {
        tail
    };
    let graph = b.finish(tail);
    let mut case = case(format!("shuffle of {shape:?}, half {half}, {units} units"), graph, rng);
    if rng.u8(..3) == 0 {
        case.options.retain.push(format!("shuffle{}", rng.usize(..units)));
    }
    case
}
