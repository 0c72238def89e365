//! A GPU that is really out of memory. lavapipe's memory is the process's own, so a limit on that is a limit on the GPU.
#![cfg(target_os = "linux")]

use pollster::block_on;
use sklens::ErrorCode;
use sklens::backend::{Backend, Runner};
use sklens::gpu::GpuDevice;
use sklens::graph::{Graph, GraphBuilder, Pool, PoolKind};
use sklens::plan::PlanOptions;
use std::process::Command;
use std::rc::Rc;

/// What may be taken beyond what the open device already has.
const HEADROOM: u64 = 600 << 20;
/// Tensors of 96 MiB that are needed at the same time.
const TENSORS: usize = 12;
/// In the process that gets the limit.
const CHILD: &str = "SKLENS_OUT_OF_MEMORY";

/// Bytes of address space in use.
fn address_space() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmSize:")).expect("a size");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") << 10
}

/// The test itself, in a process of its own, because the limit holds to its end.
#[test]
fn a_device_that_is_out_of_memory_says_so_and_works_on() {
    if std::env::var_os(CHILD).is_some() {
        return run_out_of_memory();
    }
    let name = "a_device_that_is_out_of_memory_says_so_and_works_on";
    let child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("the same test once more");
    let said = format!("{}{}", String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success() && said.contains("1 passed"), "{}: {said}", child.status);
}

/// Poolings of one picture, all kept until their sum is taken.
fn graph(shape: [usize; 3]) -> Graph {
    let mut b = GraphBuilder::new(shape);
    let picture = b.picture();
    let pool = Pool { kind: PoolKind::Max, kernel: 3, stride: 1, padding: 1, ceil_mode: false };
    let pooled: Vec<_> =
        (0..TENSORS).map(|index| b.pool(format!("pool{index}"), picture, pool.clone()).expect("pool")).collect();
    let sum = pooled[1..]
        .iter()
        .enumerate()
        .fold(pooled[0], |sum, (index, &next)| b.add(format!("sum{index}"), &[sum, next]).expect("sum"));
    b.finish(sum)
}

fn run_out_of_memory() {
    let device = Rc::new(block_on(GpuDevice::open()).expect("a Vulkan adapter, at least lavapipe"));
    if !device.adapter.software {
        eprintln!("{} has memory of its own: nothing to test", device.adapter.name);
        return;
    }
    let backend = Backend::Gpu(device);
    let small = graph([4, 8, 8]);
    let runner = |graph: &Graph| block_on(Runner::generated(&backend, graph, &PlanOptions::batch(1)));
    let mut works = runner(&small).expect("runner");
    let mut check = || {
        works.write_nchw(small.input, &[1.5; 4 * 8 * 8]);
        let sum = block_on(works.run()).expect("a run").tensor(&works.plan, small.output).expect("the sum");
        assert!(sum.iter().all(|&value| value == 1.5 * TENSORS as f32), "{sum:?}");
    };
    check();

    let limit = format!("--as={}", address_space() + HEADROOM);
    let status = Command::new("prlimit").args(["--pid", &std::process::id().to_string(), &limit]).status();
    assert!(status.expect("prlimit, of util-linux").success());
    let error = runner(&graph([32, 768, 1024])).expect_err("more than there is");
    assert_eq!(error.code, ErrorCode::DeviceLost, "{error}");
    assert!(error.message.contains("out of memory for the network"), "{error}");

    // The device works on.
    check();
}
