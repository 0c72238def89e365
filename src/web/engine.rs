//! The engine's module: photos and analyses.

mod networks;
mod results;

use super::set;
use super::values::{from_js, network, to_js};
use crate::image::{Photo as Pixels, WorkingImage, decode, sniff};
use crate::overrides::{Overrides, RunOptions};
use crate::session::{FieldRequest, OpenOptions, Session, Tuning, View};
use crate::weights::{Checkpoint, Format, Source};
use crate::{Error, ErrorCode};
use js_sys::{Function, Object};
use results::{field_to_js, results_to_js};
use serde::Deserialize;
use std::cell::RefCell;
use wasm_bindgen::prelude::*;

/// A decoded photo, ready to be analysed at any zoom.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Photo(WorkingImage);

#[wasm_bindgen]
impl Photo {
    /// Decodes JPEG.
    ///
    /// # Errors
    /// `bad-image`; with the property `pictures` if the other module decodes the format, with `unsupported` if no module
    /// does and the browser may know it.
    pub fn decode(bytes: &[u8]) -> Result<Photo, JsValue> {
        decode(bytes).map(|photo| Self(WorkingImage::new(photo))).map_err(|error| {
            let object: JsValue = error.into();
            if sniff(bytes).is_in_pictures() {
                set(object.unchecked_ref(), "pictures", &JsValue::TRUE);
            } else if !sniff(bytes).is_supported() {
                set(object.unchecked_ref(), "unsupported", &JsValue::TRUE);
            }
            object
        })
    }

    /// A photo that the other module decoded.
    ///
    /// # Errors
    /// `bad-image` if the size does not fit the data.
    #[wasm_bindgen(js_name = fromRgb)]
    pub fn from_rgb(data: Vec<u8>, width: usize, height: usize) -> Result<Photo, JsValue> {
        Ok(Self(WorkingImage::new(Pixels::from_rgb(data, width, height)?)))
    }

    /// A photo that the browser decoded: RGBA, not premultiplied.
    ///
    /// # Errors
    /// `bad-image` if the size does not fit the data.
    #[wasm_bindgen(js_name = fromRgba)]
    pub fn from_rgba(data: &[u8], width: usize, height: usize) -> Result<Photo, JsValue> {
        Ok(Self(WorkingImage::new(Pixels::from_rgba(data, width, height)?)))
    }

    /// Width of the upright photo.
    #[wasm_bindgen(getter)]
    pub fn width(&self) -> usize {
        self.0.original_size()[0]
    }

    /// Height of the upright photo.
    #[wasm_bindgen(getter)]
    pub fn height(&self) -> usize {
        self.0.original_size()[1]
    }
}

/// `{ scales, center, size, override, tensors }`; `size` may be one side.
#[derive(Deserialize)]
#[serde(default)]
struct Options {
    scales: Vec<f64>,
    center: [f64; 2],
    size: Option<Size>,
    r#override: Overrides,
    tensors: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        let View { scales, center, run: RunOptions { overrides, tensors }, .. } = View::default();
        Self { scales, center, size: None, r#override: overrides, tensors }
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Size {
    Square(usize),
    Sides([usize; 2]),
}

/// An open network. Calls must not overlap; an overlapping call is refused.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Engine(RefCell<Session>);

#[wasm_bindgen]
impl Engine {
    /// Opens a preset, or a network described in JSON, with the weights in `weights`; `index` is what the module `readers`
    /// gave for them, `options` are `{ backend, precision, tunings }`, and `on_progress` gets `{ phase: 'prepare', done, total }`.
    ///
    /// # Errors
    /// `unknown-model`, `bad-option`, `device-lost`; `bad-weights`, with the property `readers` if `index` is wanting.
    pub async fn open(
        model: String,
        weights: web_sys::Blob,
        index: Option<String>,
        options: JsValue,
        on_progress: Function,
    ) -> Result<Engine, JsValue> {
        let options: OpenOptions = from_js(options)?;
        let checkpoint = checkpoint(Source::Blob(weights), index).await?;
        let session = Session::open_checkpoint(network(&model)?, checkpoint, options, |progress| {
            let object = Object::new();
            set(&object, "phase", &"prepare".into());
            set(&object, "done", &progress.done.into());
            set(&object, "total", &progress.total.into());
            // A listener that throws must not stop the loading.
            let _ = on_progress.call1(&JsValue::NULL, &object);
        });
        Ok(Self(RefCell::new(session.await?)))
    }

    /// `SessionInfo`.
    ///
    /// # Errors
    /// `bad-option` while another call runs.
    pub fn info(&self) -> Result<JsValue, JsValue> {
        let session = self.0.try_borrow().map_err(|_| busy())?;
        to_js(&session.info()?)
    }

    /// Names the classes of a file that does not name them itself.
    ///
    /// # Errors
    /// `bad-option` while another call runs.
    #[wasm_bindgen(js_name = nameClasses)]
    pub fn name_classes(&self, labels: Vec<String>) -> Result<(), JsValue> {
        self.0.try_borrow_mut().map_err(|_| busy())?.name_classes(labels);
        Ok(())
    }

    /// All zooms of `photo` as one batch: `Result[]`.
    ///
    /// # Errors
    /// `bad-option`, `device-lost`.
    #[expect(clippy::await_holding_refcell_ref, reason = "a second call is refused, not awaited")]
    pub async fn analyze(&self, photo: &Photo, options: JsValue) -> Result<JsValue, JsValue> {
        let options: Options = if options.is_undefined() { Options::default() } else { from_js(options)? };
        let size = options.size.map(|size| match size {
            Size::Square(side) => [side, side],
            Size::Sides(sides) => sides,
        });
        let run = RunOptions { overrides: options.r#override, tensors: options.tensors };
        let view = View { scales: options.scales, center: options.center, size, through: None, run };
        let mut session = self.0.try_borrow_mut().map_err(|_| busy())?;
        results_to_js(&session.analyze(&photo.0, &view).await?)
    }

    /// A ready input `[n, 3, h, w]` with `{ override, tensors }`: `Result[]`.
    ///
    /// # Errors
    /// `bad-option`, `device-lost`.
    #[wasm_bindgen(js_name = analyzeTensor)]
    #[expect(clippy::await_holding_refcell_ref, reason = "a second call is refused, not awaited")]
    pub async fn analyze_tensor(&self, data: &[f32], shape: Vec<usize>, options: JsValue) -> Result<JsValue, JsValue> {
        let run: RunOptions = if options.is_undefined() { RunOptions::default() } else { from_js(options)? };
        let shape = tensor_shape(shape)?;
        let mut session = self.0.try_borrow_mut().map_err(|_| busy())?;
        results_to_js(&session.analyze_tensor_with(data, shape, &run).await?)
    }

    /// `ReceptiveField` at a place of `photo`.
    ///
    /// # Errors
    /// `bad-option`, `device-lost`.
    #[wasm_bindgen(js_name = receptiveField)]
    #[expect(clippy::await_holding_refcell_ref, reason = "a second call is refused, not awaited")]
    pub async fn receptive_field(&self, photo: &Photo, options: JsValue) -> Result<JsValue, JsValue> {
        let request: FieldRequest = from_js(options)?;
        let mut session = self.0.try_borrow_mut().map_err(|_| busy())?;
        field_to_js(session.receptive_field(&photo.0, &request).await?)
    }

    /// `ReceptiveField` at a place of a ready input `[1, 3, h, w]`.
    ///
    /// # Errors
    /// `bad-option`, `device-lost`.
    #[wasm_bindgen(js_name = receptiveFieldOfTensor)]
    #[expect(clippy::await_holding_refcell_ref, reason = "a second call is refused, not awaited")]
    pub async fn receptive_field_of_tensor(
        &self,
        data: &[f32],
        shape: Vec<usize>,
        options: JsValue,
    ) -> Result<JsValue, JsValue> {
        let request: FieldRequest = from_js(options)?;
        let shape = tensor_shape(shape)?;
        let mut session = self.0.try_borrow_mut().map_err(|_| busy())?;
        field_to_js(session.receptive_field_of_tensor(data, shape, &request).await?)
    }

    /// Runs from here on what the module `measure` found fastest; tells whether it was measured on this adapter.
    ///
    /// # Errors
    /// `bad-option` while another call runs, or for what is no `Tuning`.
    pub fn adopt(&self, tuning: JsValue) -> Result<bool, JsValue> {
        let tuning: Tuning = from_js(tuning)?;
        Ok(self.0.try_borrow_mut().map_err(|_| busy())?.adopt(&tuning))
    }
}

fn tensor_shape(shape: Vec<usize>) -> crate::Result<[usize; 4]> {
    shape.try_into().map_err(|_| Error::bad_option("shape must be [n, 3, h, w]"))
}

/// The weights of `source`; those of a foreign format by their index.
async fn checkpoint(source: Source, index: Option<String>) -> Result<Checkpoint, JsValue> {
    if let Some(index) = index {
        let index = serde_json::from_str(&index)
            .map_err(|e| Error::bad_weights(format!("the list of tensors is not understood: {e}")))?;
        return Ok(Checkpoint::from_index(source, index)?);
    }
    let foreign = Format::of(&source).await? != Format::Safetensors;
    Checkpoint::open(source).await.map_err(|error| {
        let object: JsValue = error.into();
        if foreign {
            set(object.unchecked_ref(), "readers", &JsValue::TRUE);
        }
        object
    })
}

fn busy() -> JsValue {
    Error::new(ErrorCode::BadOption, "the engine is busy; wait for the call before").into()
}
