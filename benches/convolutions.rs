//! Every shape of convolution in SKNet-50 and SK-ShuffleNetV2 at 224 px, alone, on one CPU thread. Items are multiply-adds.

use divan::counter::ItemsCount;
use pollster::block_on;
use sklens::backend::{Backend, Runner};
use sklens::graph::{Branch, Conv2d, GraphBuilder, Op};
use sklens::network::preset;
use sklens::plan::PlanOptions;
use std::collections::BTreeSet;
use std::fmt;

fn main() {
    divan::main();
}

/// A convolution and the height and width of its input.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    side: usize,
    in_channels: usize,
    out_channels: usize,
    kernel: usize,
    dilation: usize,
    groups: usize,
    stride: usize,
    padding: usize,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { side, in_channels, out_channels, kernel, dilation, groups, stride, .. } = self;
        write!(f, "{side} px, {in_channels} to {out_channels}, {kernel}×{kernel}")?;
        let rest = [("dilation", dilation), ("groups", groups), ("stride", stride)];
        rest.iter().filter(|(_, value)| **value > 1).try_for_each(|(name, value)| write!(f, ", {name} {value}"))
    }
}

/// The shapes in `network`, each once.
fn shapes(network: &str) -> BTreeSet<Shape> {
    let graph = preset(network).and_then(|network| network.graph([224, 224], 1000)).expect("a preset");
    let shape = |conv: &Conv2d, side: usize| Shape {
        side,
        in_channels: conv.in_channels,
        out_channels: conv.out_channels,
        kernel: conv.kernel,
        dilation: conv.dilation,
        groups: conv.groups,
        stride: conv.stride,
        padding: conv.padding,
    };
    let convolutions = graph.nodes.iter().filter_map(|node| match &node.op {
        Op::Conv2d(conv) => Some(shape(conv, graph.tensor(node.inputs[0]).shape[1])),
        _ => None,
    });
    convolutions.collect()
}

#[divan::bench(args = shapes("sknet50"))]
fn sknet50(bencher: divan::Bencher, shape: &Shape) {
    bench(bencher, shape);
}

#[divan::bench(args = shapes("sk_shufflenet_v2_x1_0"))]
fn sk_shufflenet_v2_x1_0(bencher: divan::Bencher, shape: &Shape) {
    bench(bencher, shape);
}

fn bench(bencher: divan::Bencher, shape: &Shape) {
    let mut builder = GraphBuilder::new([shape.in_channels, shape.side, shape.side]);
    let branch = Branch { kernel: shape.kernel, dilation: shape.dilation, groups: shape.groups };
    let picture = builder.picture();
    let output = builder.conv("conv", picture, shape.out_channels, branch, shape.stride, shape.padding, false);
    let graph = builder.finish(output.expect("a convolution of a preset"));
    let options = PlanOptions::batch(1);
    let mut runner = block_on(Runner::generated(&Backend::Cpu, &graph, &options)).expect("a plan for the CPU");
    bencher.counter(ItemsCount::new(graph.macs())).bench_local(|| block_on(runner.time(&[1])).expect("a run"));
}
