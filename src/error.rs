//! The one error type of the crate: a stable code for programs and a sentence for people.

/// What went wrong, as a code that callers can match on; the same strings as in the JavaScript API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// No preset has that name.
    UnknownModel,
    /// An option is out of range or contradicts another.
    BadOption,
    /// The picture cannot be decoded or is unusable.
    BadImage,
    /// The weights file is damaged or does not fit the network.
    BadWeights,
    /// The model is not bundled and no weights were given.
    NoWeights,
    /// The session was closed.
    Closed,
    /// The GPU device was lost or refused.
    DeviceLost,
    /// The caller aborted the call.
    Aborted,
}

impl ErrorCode {
    /// The code as it appears in JavaScript and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownModel => "unknown-model",
            Self::BadOption => "bad-option",
            Self::BadImage => "bad-image",
            Self::BadWeights => "bad-weights",
            Self::NoWeights => "no-weights",
            Self::Closed => "closed",
            Self::DeviceLost => "device-lost",
            Self::Aborted => "aborted",
        }
    }
}

/// An error with a code and a message that names the file, tensor or value at fault and what would be right.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The stable code.
    pub code: ErrorCode,
    /// The sentence for people.
    pub message: String,
}

impl Error {
    /// An error with `code` and `message`.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
    /// [`ErrorCode::BadOption`].
    pub fn bad_option(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadOption, message)
    }
    /// [`ErrorCode::BadImage`].
    pub fn bad_image(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadImage, message)
    }
    /// [`ErrorCode::BadWeights`].
    pub fn bad_weights(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadWeights, message)
    }
    /// [`ErrorCode::DeviceLost`].
    pub fn device_lost(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::DeviceLost, message)
    }
}

/// The crate's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;
