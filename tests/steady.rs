//! A repeated run makes nothing on the GPU and waits for it once.

#[path = "common/steady.rs"]
mod steady;

use pollster::block_on;
use sklens::gpu::GpuDevice;
use std::rc::Rc;

#[test]
fn a_repeated_run_makes_nothing() {
    let device = Rc::new(block_on(GpuDevice::open()).expect("a Vulkan adapter, at least lavapipe"));
    block_on(steady::check(&device, "sk_shufflenet_v2_x0_5", [64, 96]));
}
