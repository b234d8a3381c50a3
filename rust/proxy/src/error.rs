//! What can be wrong with what the proxy is given.

use thiserror::Error;

/// Bad input: each variant names the object or option, what was found and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// A Kubernetes release that no profile describes.
    #[error("kube-proxy release {found:?} is unknown; known are 1.30 to 1.36")]
    UnknownRelease {
        /// The text.
        found: String,
    },
    /// A proxy mode that is real but not built.
    #[error("proxy mode {mode:?} is not modelled; iptables and nftables are")]
    ModeNotModelled {
        /// The mode.
        mode: String,
    },
    /// An option that kube-proxy does not have.
    #[error("proxy option {option:?} is unknown; known are {allowed}")]
    OptionUnknown {
        /// The option.
        option: String,
        /// The known ones.
        allowed: String,
    },
    /// An option with a value that it cannot have.
    #[error("proxy option {option}: found {found}, allowed is {allowed}")]
    OptionNotValid {
        /// The option, with its path.
        option: String,
        /// What was found.
        found: String,
        /// What may stand there.
        allowed: String,
    },
    /// Two options of which one makes the other idle.
    #[error("proxy options {first} and {second} exclude each other: {why}")]
    OptionsExclusive {
        /// The one.
        first: String,
        /// The other.
        second: String,
        /// Why not both.
        why: String,
    },
    /// CIDRs of the other family alone, for a proxy of one family.
    #[error(
        "proxy option {option}: found {found}, but the node has {family} addresses alone; allowed is a CIDR of that family"
    )]
    CidrFamily {
        /// The option.
        option: String,
        /// The CIDRs.
        found: String,
        /// The family.
        family: &'static str,
    },
    /// A configuration file that is not kube-proxy's.
    #[error(
        "the proxy's configuration is {found}; allowed is KubeProxyConfiguration of kubeproxy.config.k8s.io/v1alpha1"
    )]
    ConfigKind {
        /// Kind and version.
        found: String,
    },
    /// A field of an object that the API server would not have let through, and that rules cannot be made from.
    #[error("{object} {field}: found {found:?}, allowed is {allowed}")]
    ObjectNotValid {
        /// Kind and `namespace/name`.
        object: String,
        /// The path of the field.
        field: String,
        /// What was found.
        found: String,
        /// What may stand there.
        allowed: &'static str,
    },
    /// An endpoint address text that makes iptables-restore refuse the whole file (1.30 passes texts as they stand).
    #[error(
        "{object} {field}: kube-proxy 1.30 hands {found:?} to iptables-restore as it stands, which refuses the whole file"
    )]
    EndpointTextRefused {
        /// Kind and `namespace/name`.
        object: String,
        /// The path of the field.
        field: String,
        /// The text.
        found: String,
    },
    /// A comment that makes nft refuse the whole transaction: a long Service and port name, and no usable endpoint.
    #[error(
        "{object}: nft takes comments of up to 128 characters, and {comment:?} has {length}: kube-proxy's rules of the family \
         stay as they were while the Service has no usable endpoint"
    )]
    NftCommentTooLong {
        /// `Service namespace/name`.
        object: String,
        /// The comment.
        comment: String,
        /// Its length.
        length: usize,
    },
}

impl Error {
    /// The stable code, one for each variant.
    pub fn code(&self) -> &'static str {
        match self {
            Error::UnknownRelease { .. } => "proxy-unknown-release",
            Error::ModeNotModelled { .. } => "proxy-mode-not-modelled",
            Error::OptionUnknown { .. } => "proxy-option-unknown",
            Error::OptionNotValid { .. } => "proxy-option-not-valid",
            Error::OptionsExclusive { .. } => "proxy-options-exclusive",
            Error::CidrFamily { .. } => "proxy-cidr-family",
            Error::ConfigKind { .. } => "proxy-config-kind",
            Error::ObjectNotValid { .. } => "proxy-object-not-valid",
            Error::EndpointTextRefused { .. } => "proxy-endpoint-text-refused",
            Error::NftCommentTooLong { .. } => "proxy-nft-comment-too-long",
        }
    }

    /// Two options, and why not both.
    pub fn exclusive(first: &str, second: &str, why: &str) -> Error {
        Error::OptionsExclusive { first: first.to_owned(), second: second.to_owned(), why: why.to_owned() }
    }

    pub(crate) fn option(
        option: impl Into<String>,
        found: &impl ToString,
        allowed: impl Into<String>,
    ) -> Error {
        Error::OptionNotValid { option: option.into(), found: found.to_string(), allowed: allowed.into() }
    }
}

/// Every code that [`Error::code`] can give.
pub const CODES: &[&str] = &[
    "proxy-unknown-release",
    "proxy-mode-not-modelled",
    "proxy-option-unknown",
    "proxy-option-not-valid",
    "proxy-options-exclusive",
    "proxy-cidr-family",
    "proxy-config-kind",
    "proxy-object-not-valid",
    "proxy-endpoint-text-refused",
    "proxy-nft-comment-too-long",
];

/// The result of anything that reads input.
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_and_every_message_names_what_was_found() {
        let (object, field, found) = ("Service ns/a".to_owned(), ".spec".to_owned(), "odd".to_owned());
        let errors = [
            Error::UnknownRelease { found: found.clone() },
            Error::ModeNotModelled { mode: found.clone() },
            Error::OptionUnknown { option: found.clone(), allowed: "even".into() },
            Error::option("mode", &found, "even"),
            Error::exclusive("even", &found, "one is enough"),
            Error::CidrFamily { option: "clusterCIDR".into(), found: found.clone(), family: "IPv4" },
            Error::ConfigKind { found: found.clone() },
            Error::ObjectNotValid {
                object: object.clone(),
                field: field.clone(),
                found: found.clone(),
                allowed: "even",
            },
            Error::EndpointTextRefused { object: object.clone(), field, found: found.clone() },
            Error::NftCommentTooLong { object, comment: found, length: 129 },
        ];
        let codes: Vec<&str> = errors.iter().map(Error::code).collect();
        assert_eq!(codes, CODES);
        assert!(errors.iter().all(|error| error.to_string().contains("odd")));
    }
}
