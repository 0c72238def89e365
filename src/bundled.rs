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

/// Plain English names of the 1000 ImageNet classes, in the order of timm's and torchvision's logits.
///
/// # Errors
/// If the shipped list is damaged.
#[cfg(feature = "cli")]
pub fn imagenet_labels() -> crate::Result<Vec<String>> {
    serde_json::from_str(include_str!("../models/imagenet1k-labels.json"))
        .map_err(|e| crate::Error::bad_weights(format!("the shipped class names are damaged: {e}")))
}
