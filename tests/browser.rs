//! Tests that run in a browser on WebGPU; `cargo xtask test --only browser` compiles and starts them.
#![cfg(target_arch = "wasm32")]

use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use wgpu::{BufferDescriptor, BufferUsages, PollType};

mod common;
#[path = "common/crops.rs"]
mod crops;
#[path = "common/halves.rs"]
mod halves;
#[path = "common/steady.rs"]
mod steady;

use common::cases::{FAMILIES, cases};
use sklens::backend::Backend;
use sklens::gpu::GpuDevice;
use std::rc::Rc;

wasm_bindgen_test_configure!(run_in_browser);

/// Fewer than natively: compiling a pipeline takes this adapter a good part of a second.
const GPU_CASES: usize = 5;
const CPU_CASES: usize = 40;
/// On the GPU, with weights in f16.
const HALF_CASES: usize = 1;
/// Sizes of pictures, each of several photos.
const CROP_CASES: usize = 4;

/// Every kernel family on the browser's WebGPU against the naive interpreter.
#[wasm_bindgen_test]
async fn every_family_on_webgpu() {
    let device = Rc::new(GpuDevice::open().await.expect("the browser has no WebGPU adapter"));
    let backend = Backend::Gpu(device.clone());
    for family in FAMILIES {
        for case in cases(family, 11, GPU_CASES) {
            common::check(&backend, &case).await;
        }
        for case in cases(family, 17, HALF_CASES) {
            halves::check(&backend, &case).await;
        }
    }
    assert!(device.counters().pipelines > FAMILIES.len());
}

/// Every kernel family as WebAssembly SIMD against the naive interpreter.
#[wasm_bindgen_test]
async fn every_family_on_the_cpu() {
    const { assert!(cfg!(target_feature = "simd128")) };
    for family in FAMILIES {
        for case in cases(family, 13, CPU_CASES) {
            common::check(&Backend::Cpu, &case).await;
            halves::check(&Backend::Cpu, &case).await;
        }
    }
}

/// After the first run of a shape nothing is made on WebGPU.
#[wasm_bindgen_test]
async fn a_repeated_run_makes_nothing_on_webgpu() {
    let device = Rc::new(GpuDevice::open().await.expect("the browser has no WebGPU adapter"));
    steady::check(&device, "sk_shufflenet_v2_x0_5", [64, 64]).await;
}

/// Pictures of photos, and what a move of the zoom costs, on WebGPU.
#[wasm_bindgen_test]
async fn photos_are_cropped_on_webgpu() {
    let device = Rc::new(GpuDevice::open().await.expect("the browser has no WebGPU adapter"));
    crops::check_pictures(&device, 31, CROP_CASES).await;
    crops::check_moves(&device).await;
}

const MULTIPLY: &str = "
@group(0) @binding(0) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(64)
fn multiply(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&values) {
        values[id.x] = values[id.x] * 3.0 + f32(id.x);
    }
}
";

/// The browser offers WebGPU, and a dispatch computes what it should: the ground that all other tests here stand on.
#[wasm_bindgen_test]
async fn webgpu_computes() {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = instance.request_adapter(&Default::default()).await.expect("the browser has no WebGPU adapter");
    let (device, queue) = adapter.request_device(&Default::default()).await.unwrap();

    let input: Vec<f32> = (0..1000).map(|i| 0.25 * i as f32 - 7.0).collect();
    let size = size_of_val(input.as_slice()) as u64;
    let buffer =
        |usage| device.create_buffer(&BufferDescriptor { label: None, size, usage, mapped_at_creation: false });
    let values = buffer(BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC);
    let read_back = buffer(BufferUsages::MAP_READ | BufferUsages::COPY_DST);
    queue.write_buffer(&values, 0, bytemuck::cast_slice(&input));

    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(MULTIPLY.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: Some("multiply"),
        compilation_options: Default::default(),
        cache: None,
    });
    let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[wgpu::BindGroupEntry { binding: 0, resource: values.as_entire_binding() }],
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &bindings, &[]);
        pass.dispatch_workgroups((input.len() as u32).div_ceil(64), 1, 1);
    }
    encoder.copy_buffer_to_buffer(&values, 0, &read_back, 0, size);
    queue.submit([encoder.finish()]);

    let mapped = Promise::new(&mut |resolve, _reject| {
        read_back.map_async(wgpu::MapMode::Read, .., move |result| {
            result.unwrap();
            resolve.call0(&JsValue::NULL).unwrap();
        });
    });
    device.poll(PollType::Poll).unwrap();
    JsFuture::from(mapped).await.unwrap();
    let output: Vec<f32> = bytemuck::cast_slice(&read_back.get_mapped_range(..).unwrap()).to_vec();
    let expected: Vec<f32> = input.iter().enumerate().map(|(i, value)| value * 3.0 + i as f32).collect();
    assert_eq!(output, expected);
}
