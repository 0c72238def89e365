//! What the modules of the engine and of measurements take and return.

use crate::network::{Network, NetworkFile, preset};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;

/// What an object means; `bad-option` if it has no such form.
pub(super) fn from_js<T: for<'de> Deserialize<'de>>(value: JsValue) -> Result<T, JsValue> {
    serde_wasm_bindgen::from_value(value).map_err(|e| Error::bad_option(format!("bad options: {e}")).into())
}

/// As serde writes it.
pub(super) fn to_js(value: &impl Serialize) -> Result<JsValue, JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value.serialize(&serializer).map_err(|e| Error::bad_option(format!("cannot hand over the result: {e}")).into())
}

/// The network that `model` names, or describes in JSON.
pub(super) fn network(model: &str) -> Result<Network> {
    if model.trim_start().starts_with('{') { NetworkFile::from_json(model)?.network() } else { preset(model) }
}
