//! Both backends against the naive interpreter, on random graphs of every kernel family.

mod common;
#[path = "common/halves.rs"]
mod halves;
#[path = "common/variants.rs"]
mod variants;

use common::Case;
use common::cases::{FAMILIES, cases};
use sklens::backend::Backend;
use sklens::gpu::GpuDevice;
use sklens::graph::{Branch, GraphBuilder};
use sklens::plan::PlanOptions;
use std::rc::Rc;

const CASES: usize = 40;
/// Per family, with every variant of its kernels.
const VARIANT_CASES: usize = 4;
/// Per family, with weights in f16.
const HALF_CASES: usize = 2;

fn run(backend: &Backend, family: &str) {
    let family = FAMILIES.iter().find(|(name, _)| *name == family).expect("family");
    for case in cases(family, 7, CASES) {
        pollster::block_on(common::check(backend, &case));
    }
}

/// Of every family, since a network mixes kernels that keep weights as f16 with others that do not.
fn run_with_halves(backend: &Backend) {
    for case in FAMILIES.iter().flat_map(|family| cases(family, 17, HALF_CASES)) {
        pollster::block_on(halves::check(backend, &case));
    }
}

#[test]
fn halves_on_the_cpu() {
    run_with_halves(&Backend::Cpu);
}

#[test]
fn halves_on_the_gpu() {
    run_with_halves(&gpu());
}

fn gpu() -> Backend {
    Backend::Gpu(Rc::new(pollster::block_on(GpuDevice::open()).expect("a Vulkan adapter, at least lavapipe")))
}

/// Convolutions of more quads than the threads of a workgroup compute side by side, the last tiles in part outside: of two
/// pictures, with strides, dilation and a residual.
fn wide_convolutions() -> Case {
    let branch = |kernel, dilation| Branch { kernel, dilation, groups: 1 };
    let mut b = GraphBuilder::new([12, 17, 9]);
    let x = b.picture();
    let first = b.conv("first", x, 124, branch(1, 1), 1, 0, true).unwrap();
    let first = b.relu("relu", first);
    let dense = b.conv("dense", first, 124, branch(3, 3), 2, 3, false).unwrap();
    let again = b.conv("again", dense, 124, branch(1, 1), 1, 0, false).unwrap();
    let sum = b.add("sum", &[dense, again]).unwrap();
    let last = b.conv("last", sum, 60, branch(1, 1), 2, 0, true).unwrap();
    let graph = b.finish(last);
    Case { name: "wide convolutions".into(), graph, options: PlanOptions::batch(2), overrides: Vec::new() }
}

#[test]
fn wide_convolutions_on_both() {
    for backend in [gpu(), Backend::Cpu] {
        pollster::block_on(common::check(&backend, &wide_convolutions()));
    }
}

/// Of every family, for its small and its large shapes, with weights in f32 and in f16.
#[test]
fn variants_on_the_gpu() {
    let backend = gpu();
    let random = FAMILIES.iter().flat_map(|family| cases(family, 23, VARIANT_CASES));
    let tried = std::iter::once(wide_convolutions())
        .chain(random)
        .flat_map(|case| pollster::block_on(variants::check(&backend, &case)))
        .collect::<std::collections::BTreeSet<_>>();
    for variant in ["staged", "split", "8x1x8", "8x2x8", "8x4x8", "4x2x8", "4x4x8", "8x4x1", "2x1x1", "1x1x1"] {
        assert!(tried.contains(variant), "no case has {variant}: {tried:?}");
    }
}

macro_rules! families {
    ($($test:ident: $family:literal,)*) => {
        mod cpu {
            $(#[test] fn $test() { super::run(&super::Backend::Cpu, $family) })*
        }
        mod gpu {
            $(#[test] fn $test() { super::run(&super::gpu(), $family) })*
        }
        #[test]
        fn every_family_is_tested() {
            let tested = [$($family),*];
            assert!(FAMILIES.iter().all(|(name, _)| tested.contains(name)));
        }
    };
}

families! {
    elementwise: "elementwise",
    convolution: "convolution",
    large_convolution: "large convolution",
    convolution_of_views: "convolution of views",
    residual: "residual",
    pool: "pool",
    classifier: "classifier",
    sk_unit: "sk unit",
    fused_sk_unit: "fused sk unit",
    mixed_sk_unit: "mixed sk unit",
    squeeze_and_excite: "squeeze and excite",
    softmax_and_select: "softmax and select",
    shuffle: "shuffle",
}
