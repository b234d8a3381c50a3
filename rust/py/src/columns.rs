//! numpy columns: checked by name on the way in, handed over without a copy on the way out.

use numpy::{Element, IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::errors;

/// A column's values, copied: another thread may write to it while the GIL is released.
pub(crate) fn column<T: Element + Copy>(
    given: &Bound<'_, PyAny>,
    name: &str,
    dtype: &str,
) -> PyResult<Vec<T>> {
    let py = given.py();
    let wrong = |why: String| errors::by_code(py, "flows-dtype", &format!("{name}: {why}"));
    let array: PyReadonlyArray1<'_, T> = given.extract().map_err(|_| {
        wrong(format!("expected a one-dimensional numpy array of {dtype}, got {}", describe(given)))
    })?;
    Ok(array.as_array().to_vec())
}

fn describe(given: &Bound<'_, PyAny>) -> String {
    let dtype = given.getattr("dtype").map(|dtype| dtype.to_string());
    let shape = given.getattr("shape").map(|shape| shape.to_string());
    match (dtype, shape) {
        (Ok(dtype), Ok(shape)) => format!("{dtype} of shape {shape}"),
        _ => given.get_type().to_string(),
    }
}

/// Hands a column over.
pub(crate) fn give<T: Element>(py: Python<'_>, values: Vec<T>) -> Bound<'_, PyArray1<T>> {
    values.into_pyarray(py)
}
