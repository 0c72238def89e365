//! Views that random graphs seldom have.

#[allow(dead_code, reason = "these tests make their own cases")]
mod common;

use common::{Case, check};
use sklens::backend::Backend;
use sklens::gpu::GpuDevice;
use sklens::graph::{Branch, GraphBuilder};
use sklens::plan::PlanOptions;
use std::rc::Rc;

/// A 1×1 or depthwise convolution of channels that appear twice in what it reads.
fn repeated_channels(depthwise: bool) -> Case {
    let one = Branch { kernel: 1, dilation: 1, groups: 1 };
    let mut b = GraphBuilder::new([3, 5, 6]);
    let x = b.picture();
    let y = b.conv("conv", x, 5, one, 1, 0, true).expect("conv");
    let right = b.slice("right", y, 2, 3).expect("slice");
    let twice = b.concat("twice", &[y, right]).expect("concat");
    let (channels, branch) = if depthwise { (8, Branch { kernel: 3, groups: 8, ..one }) } else { (6, one) };
    let out = b.conv("out", twice, channels, branch, 1, branch.kernel / 2, true).expect("conv");
    let options = PlanOptions { retain: vec!["twice".into()], ..PlanOptions::batch(2) };
    let name = format!("repeated channels, depthwise: {depthwise}");
    Case { name, graph: b.finish(out), options, overrides: Vec::new() }
}

#[test]
fn channels_may_be_read_twice() {
    let gpu =
        Backend::Gpu(Rc::new(pollster::block_on(GpuDevice::open()).expect("a Vulkan adapter, at least lavapipe")));
    for backend in [&Backend::Cpu, &gpu] {
        for depthwise in [false, true] {
            pollster::block_on(check(backend, &repeated_channels(depthwise)));
        }
    }
}
