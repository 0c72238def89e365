//! The module of picture decoders.

use crate::image::Photo;
use wasm_bindgen::prelude::*;

/// A decoded picture, upright, composited over white.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Picture(Photo);

#[wasm_bindgen]
impl Picture {
    /// Decodes PNG, WebP or JPEG.
    ///
    /// # Errors
    /// `bad-image`.
    pub fn decode(bytes: &[u8]) -> Result<Picture, JsValue> {
        Ok(Self(crate::image::decode(bytes)?))
    }

    /// Width in pixels.
    #[wasm_bindgen(getter)]
    pub fn width(&self) -> usize {
        self.0.width()
    }

    /// Height in pixels.
    #[wasm_bindgen(getter)]
    pub fn height(&self) -> usize {
        self.0.height()
    }

    /// A copy of the pixels, RGB.
    #[wasm_bindgen(getter)]
    pub fn rgb(&self) -> Vec<u8> {
        self.0.rgb().to_vec()
    }
}
