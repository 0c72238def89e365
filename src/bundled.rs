//! Weights that ship with the project.

/// Name of the model that opens when none is named.
pub const DEFAULT_MODEL: &str = "sk_shufflenet_v2_x1_0";

/// The safetensors file of a bundled model.
#[cfg(feature = "cli")]
pub fn weights(model: &str) -> Option<&'static [u8]> {
    match model {
        DEFAULT_MODEL => Some(include_bytes!("../models/sk_shufflenet_v2_x1_0.tiny200.safetensors")),
        _ => None,
    }
}
