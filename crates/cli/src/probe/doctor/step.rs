//! The checks, and which of them need which other one.

/// A check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Reachable,
    TlsVersion,
    Certificate,
    ScimResponses,
    Clock,
    Activation,
    Discovery,
    MediaType,
    PublicUrl,
    AccessToken,
    WrongSecret,
    WrongGrant,
    AlteredToken,
    Key,
    KeyExpiry,
    TestConnection,
    GroupsRead,
    GroupsRefused,
    Owner,
    Latency,
    Load,
}

impl Step {
    /// All checks, in their order.
    pub(super) const ALL: [Self; 21] = [
        Self::Reachable,
        Self::TlsVersion,
        Self::Certificate,
        Self::ScimResponses,
        Self::Clock,
        Self::Activation,
        Self::Discovery,
        Self::MediaType,
        Self::PublicUrl,
        Self::AccessToken,
        Self::WrongSecret,
        Self::WrongGrant,
        Self::AlteredToken,
        Self::Key,
        Self::KeyExpiry,
        Self::TestConnection,
        Self::GroupsRead,
        Self::GroupsRefused,
        Self::Owner,
        Self::Latency,
        Self::Load,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Reachable => "reachable",
            Self::TlsVersion => "TLS version",
            Self::Certificate => "certificate",
            Self::ScimResponses => "SCIM responses",
            Self::Clock => "clock",
            Self::Activation => "activation",
            Self::Discovery => "discovery",
            Self::MediaType => "media type",
            Self::PublicUrl => "public URL",
            Self::AccessToken => "access token",
            Self::WrongSecret => "wrong secret",
            Self::WrongGrant => "wrong grant type",
            Self::AlteredToken => "altered token",
            Self::Key => "key",
            Self::KeyExpiry => "key expiry",
            Self::TestConnection => "test connection",
            Self::GroupsRead => "groups read",
            Self::GroupsRefused => "groups refused",
            Self::Owner => "key's owner",
            Self::Latency => "latency",
            Self::Load => "load",
        }
    }

    /// Returns whether the check is about clients that request access tokens.
    pub(super) fn is_of_clients(self) -> bool {
        matches!(
            self,
            Self::AccessToken | Self::WrongSecret | Self::WrongGrant | Self::AlteredToken
        )
    }

    /// Returns the check without which this one cannot be made.
    pub(super) fn needs(self) -> Option<Self> {
        match self {
            Self::Reachable => None,
            Self::TlsVersion => Some(Self::Reachable),
            Self::Certificate => Some(Self::TlsVersion),
            Self::ScimResponses => Some(Self::Certificate),
            Self::Clock | Self::Activation => Some(Self::ScimResponses),
            Self::Discovery | Self::AccessToken | Self::Key => Some(Self::Activation),
            Self::WrongSecret | Self::WrongGrant | Self::AlteredToken => Some(Self::AccessToken),
            Self::MediaType | Self::PublicUrl | Self::Latency => Some(Self::Discovery),
            Self::KeyExpiry
            | Self::TestConnection
            | Self::GroupsRead
            | Self::GroupsRefused
            | Self::Owner
            | Self::Load => Some(Self::Key),
        }
    }
}
