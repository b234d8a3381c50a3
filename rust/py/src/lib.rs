//! The extension module kdp._core.
