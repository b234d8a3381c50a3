//! The columns of a `Packets` batch, by name.

use kdp_packet::PacketColumns;
use numpy::{Element, PyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::columns::column;
use crate::errors::by_code;

/// Verdict, device, src, sport, dst, dport, state, rules walked.
pub(crate) type Columns<'py> = (
    Bound<'py, PyArray1<u8>>,
    Bound<'py, PyArray1<u32>>,
    Bound<'py, PyArray1<u32>>,
    Bound<'py, PyArray1<u16>>,
    Bound<'py, PyArray1<u32>>,
    Bound<'py, PyArray1<u16>>,
    Bound<'py, PyArray1<u8>>,
    Bound<'py, PyArray1<u32>>,
);

/// The columns of a `Packets` batch, copied before the GIL goes.
pub(crate) struct Given {
    time_ns: Vec<u64>,
    device: Vec<u32>,
    src: Vec<u32>,
    sport: Vec<u16>,
    dst: Vec<u32>,
    dport: Vec<u16>,
    proto: Vec<u8>,
    flags: Vec<u8>,
    seq: Vec<u32>,
    ack: Vec<u32>,
    window: Vec<u16>,
    length: Vec<u16>,
    ttl: Vec<u8>,
    mark: Vec<u32>,
}

impl Given {
    /// Reads them by name: of one length, in the ranges that a packet has.
    pub(crate) fn read(columns: &Bound<'_, PyDict>) -> PyResult<Given> {
        let src: Vec<u32> = named(columns, "src", "uint32", None)?;
        let rows = Some(src.len());
        let given = Given {
            time_ns: named(columns, "time_ns", "uint64", rows)?,
            device: named(columns, "device", "uint32", rows)?,
            sport: named(columns, "sport", "uint16", rows)?,
            dst: named(columns, "dst", "uint32", rows)?,
            dport: named(columns, "dport", "uint16", rows)?,
            proto: named(columns, "proto", "uint8", rows)?,
            flags: named(columns, "flags", "uint8", rows)?,
            seq: named(columns, "seq", "uint32", rows)?,
            ack: named(columns, "ack", "uint32", rows)?,
            window: named(columns, "window", "uint16", rows)?,
            length: named(columns, "length", "uint16", rows)?,
            ttl: named(columns, "ttl", "uint8", rows)?,
            mark: named(columns, "mark", "uint32", rows)?,
            src,
        };
        match given.columns().fault() {
            None => Ok(given),
            Some(why) => Err(by_code(columns.py(), "flows-range", &why)),
        }
    }

    /// Them as the host takes them.
    pub(crate) fn columns(&self) -> PacketColumns<'_> {
        PacketColumns {
            time_ns: &self.time_ns,
            device: &self.device,
            src: &self.src,
            sport: &self.sport,
            dst: &self.dst,
            dport: &self.dport,
            proto: &self.proto,
            flags: &self.flags,
            seq: &self.seq,
            ack: &self.ack,
            window: &self.window,
            length: &self.length,
            ttl: &self.ttl,
            mark: &self.mark,
        }
    }
}

/// A column by its name, as long as the others.
fn named<T: Element + Copy>(
    columns: &Bound<'_, PyDict>,
    name: &str,
    dtype: &str,
    rows: Option<usize>,
) -> PyResult<Vec<T>> {
    let py = columns.py();
    let found = columns.get_item(name)?;
    let found = found.ok_or_else(|| by_code(py, "flows-shape", &format!("there is no column {name}")))?;
    let values = column(&found, name, dtype)?;
    if rows.is_some_and(|rows| rows != values.len()) {
        return Err(by_code(py, "flows-shape", "the columns differ in length"));
    }
    Ok(values)
}
