//! The labels, annotations and names that the endpoint controllers read and write.
//!
//! Source: Kubernetes API, `k8s.io/api/discovery/v1` and `k8s.io/api/core/v1` (2026-07), well-known labels and annotations.

/// Label of a slice: its Service.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// Label of a slice: who writes it.
pub const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// The slice controller's own name in [`MANAGED_BY`].
pub const SLICE_CONTROLLER: &str = "endpointslice-controller.k8s.io";
/// The mirroring controller's own name in [`MANAGED_BY`].
pub const MIRRORING_CONTROLLER: &str = "endpointslicemirroring-controller.k8s.io";
/// Label of Endpoints that are not to be mirrored: `true`.
pub const SKIP_MIRROR: &str = "endpointslice.kubernetes.io/skip-mirror";
/// Annotation that kubectl leaves: the manifest it applied last.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Label, with an empty value, of what belongs to a Service without a cluster address.
pub const HEADLESS: &str = "service.kubernetes.io/headless";
/// Label of Endpoints since 1.33.
pub const ENDPOINTS_MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
/// The value of [`ENDPOINTS_MANAGED_BY`].
pub const ENDPOINTS_CONTROLLER: &str = "endpoint-controller";
/// Annotation: the time of the change that led to a write.
pub const TRIGGER_TIME: &str = "endpoints.kubernetes.io/last-change-trigger-time";
/// Annotation of Endpoints that had to leave addresses out: `truncated`.
pub const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";
/// Annotation of Endpoints that are a lock of others.
pub const LEADER_ELECTION: &str = "control-plane.alpha.kubernetes.io/leader";
/// Label of a Node: its zone.
pub const ZONE: &str = "topology.kubernetes.io/zone";
/// Annotation of a Service: hints in proportion to CPU.
pub const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";
/// The older name of [`TOPOLOGY_MODE`]; it wins.
pub const TOPOLOGY_HINTS: &str = "service.kubernetes.io/topology-aware-hints";

/// The `generateName` of a Service's slices.
pub(super) fn slice_prefix(service: &str) -> String {
    const NAME_MAX: usize = 253;
    let dash = if service.len() < NAME_MAX { "-" } else { "" };
    format!("{service}{dash}")
}

/// A name as an API server makes it from `generateName`: the prefix and five characters, here drawn from the namespace
/// and a running number instead of chance.
pub fn generated_name(namespace: &str, prefix: &str, number: u64) -> String {
    // Source: apimachinery `util/rand`, without letters that could spell words.
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    const BASE: u64 = ALPHABET.len() as u64;
    let mut hash = number ^ 0xcbf2_9ce4_8422_2325;
    for byte in namespace.bytes().chain([b'/']).chain(prefix.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 29;
    let suffix = (0..5).map(|i| char::from(ALPHABET[(hash / BASE.pow(i) % BASE) as usize]));
    prefix.chars().chain(suffix).collect()
}
