//! Endpoints of Services.
