//! From the bytes of a photo to the network's input, the same natively and in the browser.
//!
//! [`decode()`] gives an upright [`Photo`]; [`WorkingImage`] shrinks it once; [`Preprocessing::to_input`] cuts the
//! [`crop_box`] of a zoom and a centre, resizes it as Pillow does and normalises it. All of it is pure and integer
//! until the last step, so equal bytes give equal inputs everywhere.

mod crop;
mod decode;
mod format;
mod photo;
#[cfg(feature = "pictures")]
mod pictures;
mod preprocess;
mod reduce;
mod resize;

pub use crop::{CropBox, MAX_SCALE, check_center, check_scale, crop_box};
pub use decode::{MAX_PIXELS, decode};
pub use format::{Format, sniff};
pub use photo::Photo;
pub use preprocess::{ChannelOrder, Interpolation, MAX_SIDE, Preprocessing, check_size, check_through};
pub use reduce::{WORKING_SIDE, WorkingImage, reduce};
pub use resize::resize;
