//! One Linux box: devices, routes, and a packet's walk through the hooks.
