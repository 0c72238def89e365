//! The exports of the wasm modules. What the worker calls is all but the benchmark's single operators; the public
//! JavaScript API is `www/api/`.
//!
//! The engine is built without the features `pictures`, `readers`, `measure` and `bench`; the picture decoders, the readers
//! of foreign weights, the measurements and the single operators with one of them.

#[cfg(not(any(feature = "pictures", feature = "readers", feature = "measure", feature = "bench")))]
mod engine;
#[cfg(feature = "measure")]
mod measure;
#[cfg(feature = "bench")]
mod operator;
#[cfg(feature = "pictures")]
mod pictures;
#[cfg(feature = "readers")]
mod readers;
#[cfg(not(any(feature = "pictures", feature = "readers", feature = "bench")))]
mod values;

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
