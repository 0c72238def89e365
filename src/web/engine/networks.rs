//! Networks: their list, descriptions and random weights.

use crate::Error;
use crate::session::ModelInfo;
use crate::web::values::{network, to_js};
use crate::weights::random_file;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;

/// `ModelInfo[]`: presets, then the rows of the paper's tables 6 and 7.
#[wasm_bindgen]
pub fn models() -> Result<JsValue, JsValue> {
    to_js(&crate::session::models()?)
}

/// `ModelInfo` of a named or described network.
///
/// # Errors
/// `unknown-model`, or `bad-option` with the value at fault.
#[wasm_bindgen]
pub fn describe(model: &str) -> Result<JsValue, JsValue> {
    to_js(&ModelInfo::of(network(model)?)?)
}

/// A safetensors file of random weights for a named or described network.
///
/// # Errors
/// Those of [`describe`].
#[wasm_bindgen(js_name = randomWeights)]
pub fn random_weights(model: &str) -> Result<web_sys::Blob, JsValue> {
    let network = network(model)?;
    let graph = network.graph(network.preprocessing.input_size, network.classes)?;
    let parts = Array::new();
    for part in random_file(&graph)? {
        parts.push(&Uint8Array::from(part.as_slice()));
    }
    web_sys::Blob::new_with_u8_array_sequence(&parts)
        .map_err(|_| Error::bad_weights("the browser has no room for the random weights").into())
}
