//! The sysctls of connection tracking.

/// `net.netfilter.nf_conntrack_*` of one network namespace, without that prefix: timeouts in seconds, switches 0 or 1.
///
/// Source: Linux 6.18, `net/netfilter/nf_conntrack_standalone.c` (names); `nf_conntrack_proto_*.c` (defaults).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Entries at most; one more is dropped (or drives an unassured one out).
    pub max: u32,
    /// Buckets of the hash table.
    pub buckets: u32,
    /// Expectations at most. Kept for reading back; there are no helpers that would expect anything.
    pub expect_max: u32,
    /// Whether checksums are verified in PREROUTING.
    pub checksum: u32,
    /// Whether packets and bytes are counted.
    pub acct: u32,
    /// Whether events are sent. Kept for reading back.
    pub events: u32,
    /// Whether entries carry the time of their making. Kept for reading back.
    pub timestamp: u32,
    /// How long fragments of IPv6 wait for the others.
    pub frag6_timeout: u32,
    /// TCP, by state: SYN seen.
    pub tcp_timeout_syn_sent: u32,
    /// SYN and SYN/ACK seen.
    pub tcp_timeout_syn_recv: u32,
    /// Established.
    pub tcp_timeout_established: u32,
    /// First FIN seen.
    pub tcp_timeout_fin_wait: u32,
    /// It was acknowledged.
    pub tcp_timeout_close_wait: u32,
    /// Second FIN seen.
    pub tcp_timeout_last_ack: u32,
    /// Both closed.
    pub tcp_timeout_time_wait: u32,
    /// Reset.
    pub tcp_timeout_close: u32,
    /// At most this after `tcp_max_retrans` repetitions.
    pub tcp_timeout_max_retrans: u32,
    /// At most this while sent data are not acknowledged.
    pub tcp_timeout_unacknowledged: u32,
    /// Whether flows are picked up in mid-stream.
    pub tcp_loose: u32,
    /// Whether segments out of the window pass.
    pub tcp_be_liberal: u32,
    /// Whether a reset out of the window passes.
    pub tcp_ignore_invalid_rst: u32,
    /// Repetitions of a segment before the timeout is cut.
    pub tcp_max_retrans: u32,
    /// UDP until it is a stream.
    pub udp_timeout: u32,
    /// UDP with packets both ways for more than two seconds.
    pub udp_timeout_stream: u32,
    /// ICMP queries.
    pub icmp_timeout: u32,
    /// `ICMPv6` queries.
    pub icmpv6_timeout: u32,
    /// SCTP, by state: INIT seen, or aborted.
    pub sctp_timeout_closed: u32,
    /// INIT ACK seen.
    pub sctp_timeout_cookie_wait: u32,
    /// COOKIE ECHO seen.
    pub sctp_timeout_cookie_echoed: u32,
    /// Established.
    pub sctp_timeout_established: u32,
    /// The opener sent SHUTDOWN.
    pub sctp_timeout_shutdown_sent: u32,
    /// The other side sent SHUTDOWN.
    pub sctp_timeout_shutdown_recd: u32,
    /// SHUTDOWN ACK seen.
    pub sctp_timeout_shutdown_ack_sent: u32,
    /// A HEARTBEAT opened it.
    pub sctp_timeout_heartbeat_sent: u32,
    /// GRE without an answer.
    pub gre_timeout: u32,
    /// GRE with packets both ways.
    pub gre_timeout_stream: u32,
    /// Every other protocol.
    pub generic_timeout: u32,
}

impl Default for Settings {
    /// A kernel's defaults on a machine with 4 GB or more.
    fn default() -> Settings {
        Settings {
            max: 262_144,
            buckets: 262_144,
            expect_max: 4_096,
            checksum: 1,
            acct: 0,
            events: 2,
            timestamp: 0,
            frag6_timeout: 60,
            tcp_timeout_syn_sent: 120,
            tcp_timeout_syn_recv: 60,
            tcp_timeout_established: 432_000,
            tcp_timeout_fin_wait: 120,
            tcp_timeout_close_wait: 60,
            tcp_timeout_last_ack: 30,
            tcp_timeout_time_wait: 120,
            tcp_timeout_close: 10,
            tcp_timeout_max_retrans: 300,
            tcp_timeout_unacknowledged: 300,
            tcp_loose: 1,
            tcp_be_liberal: 0,
            tcp_ignore_invalid_rst: 0,
            tcp_max_retrans: 3,
            udp_timeout: 30,
            udp_timeout_stream: 120,
            icmp_timeout: 30,
            icmpv6_timeout: 30,
            sctp_timeout_closed: 10,
            sctp_timeout_cookie_wait: 3,
            sctp_timeout_cookie_echoed: 3,
            sctp_timeout_established: 210,
            sctp_timeout_shutdown_sent: 3,
            sctp_timeout_shutdown_recd: 3,
            sctp_timeout_shutdown_ack_sent: 3,
            sctp_timeout_heartbeat_sent: 30,
            gre_timeout: 30,
            gre_timeout_stream: 180,
            generic_timeout: 600,
        }
    }
}

impl Settings {
    /// What kube-proxy sets on a node with `cpus` processors.
    /// Source: kube-proxy's defaults for `conntrack.maxPerCore`, `min`, `tcpEstablishedTimeout`, `tcpCloseWaitTimeout`.
    pub fn kube_proxy(cpus: u32) -> Settings {
        Settings {
            max: cpus.saturating_mul(32_768).max(131_072),
            tcp_timeout_established: 86_400,
            tcp_timeout_close_wait: 3_600,
            ..Settings::default()
        }
    }

    /// Reads a sysctl by its name without the path (`nf_conntrack_udp_timeout`, `nf_conntrack_tcp_loose`).
    pub fn get(&self, name: &str) -> Option<u32> {
        let mut copy = self.clone();
        copy.field(name).copied()
    }

    /// Writes a sysctl by its name; `false` if there is no such one here.
    pub fn set(&mut self, name: &str, value: u32) -> bool {
        self.field(name).map(|field| *field = value).is_some()
    }

    fn field(&mut self, name: &str) -> Option<&mut u32> {
        let name = name.strip_prefix("nf_conntrack_")?;
        Some(match name {
            "max" => &mut self.max,
            "buckets" => &mut self.buckets,
            "expect_max" => &mut self.expect_max,
            "checksum" => &mut self.checksum,
            "acct" => &mut self.acct,
            "events" => &mut self.events,
            "timestamp" => &mut self.timestamp,
            "frag6_timeout" => &mut self.frag6_timeout,
            "icmp_timeout" => &mut self.icmp_timeout,
            "icmpv6_timeout" => &mut self.icmpv6_timeout,
            "udp_timeout" => &mut self.udp_timeout,
            "udp_timeout_stream" => &mut self.udp_timeout_stream,
            "gre_timeout" => &mut self.gre_timeout,
            "gre_timeout_stream" => &mut self.gre_timeout_stream,
            "generic_timeout" => &mut self.generic_timeout,
            _ => return self.tcp_field(name),
        })
    }

    fn tcp_field(&mut self, name: &str) -> Option<&mut u32> {
        let Some(name) = name.strip_prefix("tcp_") else {
            return self.sctp_field(name);
        };
        Some(match name {
            "timeout_syn_sent" => &mut self.tcp_timeout_syn_sent,
            "timeout_syn_recv" => &mut self.tcp_timeout_syn_recv,
            "timeout_established" => &mut self.tcp_timeout_established,
            "timeout_fin_wait" => &mut self.tcp_timeout_fin_wait,
            "timeout_close_wait" => &mut self.tcp_timeout_close_wait,
            "timeout_last_ack" => &mut self.tcp_timeout_last_ack,
            "timeout_time_wait" => &mut self.tcp_timeout_time_wait,
            "timeout_close" => &mut self.tcp_timeout_close,
            "timeout_max_retrans" => &mut self.tcp_timeout_max_retrans,
            "timeout_unacknowledged" => &mut self.tcp_timeout_unacknowledged,
            "loose" => &mut self.tcp_loose,
            "be_liberal" => &mut self.tcp_be_liberal,
            "ignore_invalid_rst" => &mut self.tcp_ignore_invalid_rst,
            "max_retrans" => &mut self.tcp_max_retrans,
            _ => return None,
        })
    }

    fn sctp_field(&mut self, name: &str) -> Option<&mut u32> {
        Some(match name.strip_prefix("sctp_timeout_")? {
            "closed" => &mut self.sctp_timeout_closed,
            "cookie_wait" => &mut self.sctp_timeout_cookie_wait,
            "cookie_echoed" => &mut self.sctp_timeout_cookie_echoed,
            "established" => &mut self.sctp_timeout_established,
            "shutdown_sent" => &mut self.sctp_timeout_shutdown_sent,
            "shutdown_recd" => &mut self.sctp_timeout_shutdown_recd,
            "shutdown_ack_sent" => &mut self.sctp_timeout_shutdown_ack_sent,
            "heartbeat_sent" => &mut self.sctp_timeout_heartbeat_sent,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Settings;

    #[test]
    fn sysctls_are_read_and_written_by_their_names() {
        let mut settings = Settings::default();
        assert_eq!(settings.get("nf_conntrack_tcp_timeout_established"), Some(432_000));
        assert!(settings.set("nf_conntrack_sctp_timeout_closed", 7));
        assert!(settings.set("nf_conntrack_udp_timeout_stream", 8));
        assert_eq!((settings.sctp_timeout_closed, settings.udp_timeout_stream), (7, 8));
        for unknown in ["nf_conntrack_tcp_timeout_syn_sent2", "tcp_loose", "nf_conntrack_dccp_loose"] {
            assert!(!settings.set(unknown, 1), "{unknown}");
        }
    }

    #[test]
    fn kube_proxy_asks_for_room_by_processors() {
        assert_eq!(Settings::kube_proxy(2).max, 131_072);
        assert_eq!(Settings::kube_proxy(16).max, 524_288);
        assert_eq!(Settings::kube_proxy(2).tcp_timeout_established, 86_400);
    }
}
