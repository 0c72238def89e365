//! The module of readers of foreign weights, which also tells whose weights a file holds.

use crate::Error;
use crate::weights::{Checkpoint, Inspection, Source, readers, recognised};
use serde::Serialize;
use wasm_bindgen::prelude::*;

/// Where the tensors of a PyTorch or Caffe file are, in JSON, for `Engine.open`. Works only in a worker.
///
/// # Errors
/// `bad-weights`.
#[wasm_bindgen]
pub fn index(weights: web_sys::Blob) -> Result<String, JsValue> {
    json(&readers::index(&Source::Blob(weights))?)
}

/// What a file of any format holds: `Inspection` in JSON. Works only in a worker.
///
/// # Errors
/// `bad-weights`.
#[wasm_bindgen]
pub async fn inspect(weights: web_sys::Blob) -> Result<String, JsValue> {
    json(&Inspection::of(&Checkpoint::open(Source::Blob(weights)).await?)?)
}

/// The preset that a file of any format is recognised as. Works only in a worker.
///
/// # Errors
/// `bad-weights`, with every difference from the closest preset if none fits.
#[wasm_bindgen]
pub async fn recognise(weights: web_sys::Blob) -> Result<String, JsValue> {
    Ok(recognised(&Checkpoint::open(Source::Blob(weights)).await?)?.name)
}

fn json(value: &impl Serialize) -> Result<String, JsValue> {
    serde_json::to_string(value).map_err(|e| Error::bad_weights(format!("cannot hand over the result: {e}")).into())
}
