//! Results as JavaScript objects.

use crate::analysis::{Analysis, Prediction};
use crate::effective_field::EffectiveField;
use crate::graph::FieldSizes;
use crate::web::set;
use crate::web::values::to_js;
use js_sys::{Float32Array, Object};
use serde::Serialize;
use wasm_bindgen::prelude::*;

/// As serde writes it, with a `Float32Array` for the map.
pub(super) fn field_to_js(mut field: EffectiveField) -> Result<JsValue, JsValue> {
    let map = std::mem::take(&mut field.map);
    let object: Object = to_js(&field)?.unchecked_into();
    set(&object, "map", &Float32Array::from(map.as_slice()));
    Ok(object.into())
}

/// As serde writes them, with `Float32Array`s for logits and attention.
pub(super) fn results_to_js(results: &[Analysis]) -> Result<JsValue, JsValue> {
    let all = js_sys::Array::new();
    for result in results {
        let object: Object = to_js(&Summary::from(result))?.unchecked_into();
        set(&object, "logits", &Float32Array::from(result.logits.as_slice()));
        let units = js_sys::Array::new();
        for unit in &result.units {
            let summary = UnitSummary {
                name: &unit.name,
                path: &unit.path,
                mean_difference: unit.mean_difference,
                expected_kernel: unit.expected_kernel,
                receptive_field: unit.receptive_field,
            };
            let entry: Object = to_js(&summary)?.unchecked_into();
            set(&entry, "attention", &Float32Array::from(unit.attention.as_slice()));
            units.push(&entry);
        }
        set(&object, "units", &units);
        let tensors = Object::new();
        for (name, tensor) in &result.tensors {
            let entry = Object::new();
            set(&entry, "shape", &to_js(&tensor.shape)?);
            set(&entry, "data", &Float32Array::from(tensor.data.as_slice()));
            set(&tensors, name, &entry);
        }
        set(&object, "tensors", &tensors);
        all.push(&object);
    }
    Ok(all.into())
}

#[derive(Serialize)]
struct Summary<'a> {
    scale: f64,
    top: &'a [Prediction],
    milliseconds: f64,
}

impl<'a> From<&'a Analysis> for Summary<'a> {
    fn from(result: &'a Analysis) -> Self {
        Self { scale: result.scale, top: &result.top, milliseconds: result.milliseconds }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UnitSummary<'a> {
    name: &'a str,
    path: &'a str,
    mean_difference: Option<f32>,
    expected_kernel: f32,
    receptive_field: FieldSizes,
}
