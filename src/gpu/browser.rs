//! What wgpu does not tell about the browser's WebGPU.

use crate::{Error, Result};
use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

fn property(object: &JsValue, key: &str) -> Option<JsValue> {
    Reflect::get(object, &key.into()).ok().filter(|value| !value.is_undefined() && !value.is_null())
}

fn webgpu() -> Option<JsValue> {
    property(&js_sys::global(), "navigator").and_then(|navigator| property(&navigator, "gpu"))
}

/// Fails if the browser has no WebGPU at all.
///
/// # Errors
/// `device-lost` with a sentence for people.
pub(super) fn check_webgpu() -> Result<()> {
    match webgpu() {
        Some(_) => Ok(()),
        None => Err(Error::device_lost("This browser offers no WebGPU to this page.")),
    }
}

/// The adapter's description, or else its vendor and architecture.
pub(super) async fn adapter_name() -> Option<String> {
    let gpu = webgpu()?;
    let request: Function = property(&gpu, "requestAdapter")?.dyn_into().ok()?;
    let promise: Promise = request.call0(&gpu).ok()?.dyn_into().ok()?;
    let adapter = JsFuture::from(promise).await.ok()?;
    let info = property(&adapter, "info")?;
    let text = |key: &str| property(&info, key).and_then(|v| v.as_string()).filter(|t| !t.is_empty());
    text("description").or_else(|| {
        let parts: Vec<_> = [text("vendor"), text("architecture")].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    })
}
