//! The exports of the wasm modules. What the worker calls is all but the benchmark; the public
//! JavaScript API is `www/api/`.
//!
//! The engine is built without the features `pictures`, `readers` and `bench`; the picture decoders, the readers of
//! foreign weights and the benchmark's single operators with one of them.

#[cfg(not(any(feature = "pictures", feature = "readers", feature = "bench")))]
mod engine;
#[cfg(not(any(feature = "pictures", feature = "readers", feature = "bench")))]
mod networks;
#[cfg(feature = "bench")]
mod operator;
#[cfg(feature = "pictures")]
mod pictures;
#[cfg(feature = "readers")]
mod readers;
#[cfg(not(any(feature = "pictures", feature = "readers", feature = "bench")))]
mod results;

use crate::Error;
use js_sys::{Object, Reflect};
use wasm_bindgen::prelude::*;

/// A JavaScript `Error` with a `code`.
impl From<Error> for JsValue {
    fn from(error: Error) -> Self {
        let object = js_sys::Error::new(&error.message);
        set(&object, "code", &error.code.as_str().into());
        object.into()
    }
}

fn set(object: &Object, key: &str, value: &JsValue) {
    // Setting a property of a plain extensible object cannot fail.
    let _ = Reflect::set(object, &key.into(), value);
}

#[cfg(not(any(feature = "pictures", feature = "readers", feature = "bench")))]
fn to_js(value: &impl serde::Serialize) -> Result<JsValue, JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value.serialize(&serializer).map_err(|e| Error::bad_option(format!("cannot hand over the result: {e}")).into())
}
