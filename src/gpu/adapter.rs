//! Finding what runs the shaders, and opening it.

use super::GpuDevice;
use crate::{Error, Result};

/// What runs the shaders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// The driver's name for it.
    pub name: String,
    /// Whether it is a CPU in disguise (SwiftShader, llvmpipe, WARP), tens of times slower than SIMD code.
    pub software: bool,
}

/// What a device may take of its adapter.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeviceLimits {
    /// Largest buffer and binding in bytes; all that the adapter offers if absent.
    pub max_buffer: Option<u64>,
}

/// An adapter that was found and not opened yet: to know what it is costs little, to open and check it takes seconds.
#[derive(Debug)]
pub struct GpuAdapter {
    /// What it is.
    pub description: Adapter,
    adapter: wgpu::Adapter,
}

impl GpuAdapter {
    /// Finds the fastest adapter.
    ///
    /// # Errors
    /// `device-lost` with the platform's reason if there is none.
    pub async fn find() -> Result<Self> {
        #[cfg(target_arch = "wasm32")]
        super::browser::check_webgpu()?;
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = instance.request_adapter(&options).await.map_err(|_| Error::device_lost(NO_ADAPTER))?;
        Ok(Self { description: describe(&adapter_info(&adapter).await), adapter })
    }

    /// Opens it, with less than it offers where `limits` say so.
    ///
    /// # Errors
    /// `device-lost` with the driver's reason if it refuses.
    pub async fn open(self, limits: DeviceLimits) -> Result<GpuDevice> {
        let Self { description, adapter } = self;
        let mut required_limits = adapter.limits();
        if let Some(bytes) = limits.max_buffer {
            required_limits.max_buffer_size = required_limits.max_buffer_size.min(bytes);
            required_limits.max_storage_buffer_binding_size =
                required_limits.max_storage_buffer_binding_size.min(bytes);
        }
        // Only benchmarks read the time.
        let required_features = adapter.features() & wgpu::Features::TIMESTAMP_QUERY;
        let descriptor =
            wgpu::DeviceDescriptor { label: Some("sklens"), required_features, required_limits, ..Default::default() };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|e| Error::device_lost(format!("{} refused a device: {e}", description.name)))?;
        Ok(GpuDevice::new(description, device, queue))
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
    let lower = info.name.to_ascii_lowercase();
    let software = info.device_type == wgpu::DeviceType::Cpu || known_software.iter().any(|s| lower.contains(s));
    let name = if info.name.is_empty() { format!("{:?} adapter", info.device_type) } else { info.name.clone() };
    Adapter { name, software }
}
