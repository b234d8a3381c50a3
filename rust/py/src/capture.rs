//! Captures: bytes of a file in, frames out, and back.

use kdp_packet::capture::{self, Content, Format, Leaving};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::PyBytes;

use crate::errors::by_code;

/// Time, device, bytes that were cut off, the IP packet or nothing, what it is otherwise, whether the machine sent it.
type FrameRow<'py> = (u64, Option<String>, u32, Option<Bound<'py, PyBytes>>, u16, bool);

/// The frames of a pcap or pcapng file, in its order.
#[pyfunction]
pub(crate) fn read_capture(py: Python<'_>, file: PyBackedBytes) -> PyResult<Vec<FrameRow<'_>>> {
    let frames = py.detach(|| capture::read(&file));
    let frames = frames.map_err(|error| by_code(py, error.code(), &error.to_string()))?;
    Ok(frames.into_iter().map(|frame| row(py, frame)).collect())
}

fn row(py: Python<'_>, frame: capture::Frame) -> FrameRow<'_> {
    let (packet, kind, outgoing) = match frame.content {
        Content::Ip { packet, is_outgoing } => (Some(PyBytes::new(py, &packet)), 0, is_outgoing),
        Content::Other(kind) => (None, kind, false),
    };
    (frame.time_ns, frame.device, frame.cut, packet, kind, outgoing)
}

/// A pcap or pcapng file of IP packets: (nanoseconds since 1970, device, bytes) of each.
#[pyfunction]
pub(crate) fn write_capture(
    py: Python<'_>,
    packets: Vec<(u64, PyBackedStr, PyBackedBytes)>,
    pcapng: bool,
) -> Bound<'_, PyBytes> {
    let format = if pcapng { Format::Pcapng } else { Format::Pcap };
    let file = py.detach(|| {
        let leaving =
            packets.iter().map(|(time_ns, device, packet)| Leaving { time_ns: *time_ns, device, packet });
        capture::write(&leaving.collect::<Vec<_>>(), format)
    });
    PyBytes::new(py, &file)
}
