//! Opening an adapter, and the pipelines made on it.

use crate::kernels::{Dispatch, Shader};
use crate::{Error, Result};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// What runs the shaders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// The driver's name for it.
    pub name: String,
    /// Whether it is a CPU in disguise (SwiftShader, llvmpipe, WARP), tens of times slower than SIMD code.
    pub software: bool,
}

/// A pipeline is a shader with its constants; nothing else specialises it.
#[derive(PartialEq, Eq, Hash)]
struct PipelineKey {
    shader: &'static str,
    entry: &'static str,
    constants: Vec<(&'static str, u64)>,
}

/// An open device with its compiled shaders.
#[derive(Debug)]
pub struct GpuDevice {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    /// The adapter behind the device.
    pub adapter: Adapter,
    lost: Arc<OnceLock<String>>,
    modules: RefCell<HashMap<&'static str, wgpu::ShaderModule>>,
    pipelines: RefCell<HashMap<PipelineKey, wgpu::ComputePipeline>>,
}

impl std::fmt::Debug for PipelineKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.shader, self.entry)
    }
}

impl GpuDevice {
    /// Opens the fastest adapter with all the limits it offers.
    ///
    /// # Errors
    /// `device-lost` with the platform's reason if there is no adapter or it refuses a device.
    pub async fn open() -> Result<Self> {
        #[cfg(target_arch = "wasm32")]
        super::browser::check_webgpu()?;
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = instance.request_adapter(&options).await.map_err(|_| Error::device_lost(NO_ADAPTER))?;
        let info = adapter_info(&adapter).await;
        let descriptor =
            wgpu::DeviceDescriptor { label: Some("sklens"), required_limits: adapter.limits(), ..Default::default() };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|e| Error::device_lost(format!("{} refused a device: {e}", describe(&info).name)))?;
        let lost = Arc::new(OnceLock::new());
        let flag = lost.clone();
        device.set_device_lost_callback(move |reason, message| {
            // A second loss of the same device says nothing new.
            let _ = flag.set(format!("{reason:?}: {message}"));
        });
        Ok(Self {
            device,
            queue,
            adapter: describe(&info),
            lost,
            modules: RefCell::default(),
            pipelines: RefCell::default(),
        })
    }

    /// Largest storage that one binding can hold, in bytes.
    pub fn max_binding(&self) -> u64 {
        let limits = self.device.limits();
        limits.max_storage_buffer_binding_size.min(limits.max_buffer_size)
    }

    /// Compute pipelines made so far.
    pub fn pipeline_count(&self) -> usize {
        self.pipelines.borrow().len()
    }

    /// Fails if the device is gone.
    pub fn check(&self) -> Result<()> {
        match self.lost.get() {
            Some(reason) => Err(Error::device_lost(format!("the GPU device was lost ({reason})"))),
            None => Ok(()),
        }
    }

    pub(super) fn pipeline(&self, dispatch: &Dispatch) -> wgpu::ComputePipeline {
        let Shader { name, entry, .. } = *dispatch.shader;
        let constants = dispatch.constants.iter().map(|(k, v)| (*k, v.to_bits())).collect();
        let key = PipelineKey { shader: name, entry, constants };
        if let Some(pipeline) = self.pipelines.borrow().get(&key) {
            return pipeline.clone();
        }
        let mut modules = self.modules.borrow_mut();
        let module = modules.entry(name).or_insert_with(|| {
            self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(name),
                source: wgpu::ShaderSource::Wgsl(dispatch.shader.wgsl.into()),
            })
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: None,
            module,
            entry_point: Some(entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &dispatch.constants,
                ..Default::default()
            },
            cache: None,
        });
        self.pipelines.borrow_mut().insert(key, pipeline.clone());
        pipeline
    }
}

/// Why there is nothing to run on.
const NO_ADAPTER: &str = if cfg!(target_arch = "wasm32") {
    "WebGPU finds no graphics adapter on this device."
} else {
    "There is no Vulkan, Metal or Direct3D adapter on this machine."
};

#[cfg(not(target_arch = "wasm32"))]
async fn adapter_info(adapter: &wgpu::Adapter) -> wgpu::AdapterInfo {
    adapter.get_info()
}

/// wgpu passes on only the description, which most browsers leave empty.
#[cfg(target_arch = "wasm32")]
async fn adapter_info(adapter: &wgpu::Adapter) -> wgpu::AdapterInfo {
    let info = adapter.get_info();
    let name = super::browser::adapter_name().await.unwrap_or_else(|| info.name.clone());
    wgpu::AdapterInfo { name, ..info }
}

fn describe(info: &wgpu::AdapterInfo) -> Adapter {
    let known_software = ["swiftshader", "llvmpipe", "lavapipe", "basic render"];
    let lower = info.name.to_lowercase();
    let software = info.device_type == wgpu::DeviceType::Cpu || known_software.iter().any(|s| lower.contains(s));
    let name = if info.name.is_empty() { format!("{:?} adapter", info.device_type) } else { info.name.clone() };
    Adapter { name, software }
}
