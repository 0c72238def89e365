//! Reading the goldens that `reference/` makes.

use safetensors::SafeTensors;
use serde_json::Value;
use std::path::PathBuf;

/// One golden file.
#[derive(Debug)]
pub struct Golden {
    bytes: Vec<u8>,
    /// The document in the file's metadata.
    pub document: Value,
}

impl Golden {
    /// Reads `tests/goldens/{name}.safetensors`.
    pub fn read(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/goldens/{name}.safetensors"));
        let bytes = std::fs::read(&path).expect("golden file");
        let (_, metadata) = SafeTensors::read_metadata(&bytes).expect("golden header");
        let text = metadata.metadata().as_ref().expect("golden metadata")["golden"].clone();
        Self { document: serde_json::from_str(&text).expect("golden document"), bytes }
    }

    /// A tensor's values, if it is there.
    pub fn get(&self, name: &str) -> Option<Vec<f32>> {
        let all = SafeTensors::deserialize(&self.bytes).expect("golden");
        let data = all.tensor(name).ok()?.data().to_vec();
        Some(data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }

    /// A tensor's values.
    pub fn tensor(&self, name: &str) -> Vec<f32> {
        self.get(name).unwrap_or_else(|| panic!("golden lacks {name}"))
    }
}

/// The integers of a JSON array.
pub fn integers(value: &Value) -> Vec<usize> {
    value.as_array().expect("array").iter().map(|v| v.as_u64().expect("integer") as usize).collect()
}
